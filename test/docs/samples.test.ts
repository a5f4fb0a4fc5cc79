import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { importedPackages, installedPackages, isPacked, localLinks, packedPages, pages, root, run, samplesOf, typeFaults } from './samples.ts'

const samples = pages.flatMap((page) => samplesOf(page))

describe('the samples of the README and the guides', { concurrency: 2 }, () => {
  let faults: ReadonlyMap<string, string>
  before(() => { faults = typeFaults(samples) })

  for (const sample of samples) {
    test(`${sample.place} is what the compiler accepts`, () => {
      assert.equal(faults.get(sample.place) ?? '', '')
    })

    if (!sample.runs) continue
    test(`${sample.place} does what its page says`, async () => {
      const { code, stdout, stderr } = await run(sample)
      assert.equal(code, 0, `it ended with ${code}: ${stderr}${stdout}`)
      if (sample.output !== undefined) assert.equal(stdout, sample.output)
    })
  }
})

test('each page has a sample', () => {
  assert.deepEqual(pages.filter((page) => samplesOf(page).length === 0), [])
})

test('links between the pages lead somewhere', () => {
  for (const page of pages) assert.deepEqual(localLinks(page).filter((path) => !existsSync(join(root, path))), [], `dead links in ${page}`)
})

test('links of the pages that are in the package lead to what is in it', () => {
  const packed = packedPages()
  assert.ok(packed.length > 20, `only ${packed.length} pages`)
  for (const page of packed) {
    assert.deepEqual(localLinks(page).filter((path) => !isPacked(path) || !existsSync(join(root, path))), [], `links of ${page} that are dead in the package`)
  }
})

test('each page says at its top which packages its samples need', () => {
  for (const page of pages) {
    const installed = installedPackages(page)
    assert.deepEqual(importedPackages(page).filter((name) => !installed.includes(name)), [], `packages of ${page}`)
  }
})

describe('reading samples', () => {
  const page = (...lines: readonly string[]): string => lines.join('\n')

  test('takes TypeScript only, with the line of its fence', () => {
    const read = samplesOf('a.md', page('# A', '', '```sh', 'npm ci', '```', '', '```ts', 'run()', '```', ''))
    assert.deepEqual(read, [{ place: 'a.md:7', code: 'run()\n', runs: true, output: undefined }])
  })

  test('puts the prologue before what follows it, and leaves out running where the page says so', () => {
    const read = samplesOf('a.md', page('```ts', '1', '```', '```ts prologue', '2', '```', '```ts no-run', '3', '```'))
    assert.deepEqual(read.map(({ code, runs }) => [code, runs]), [['1\n', true], ['2\n3\n', false]])
  })

  test('takes the text right after a sample for its output, and no other text', () => {
    const read = samplesOf('a.md', page('```ts', '1', '```', '', '```text', 'one', '```', '```ts', '2', '```', 'Words.', '```text', 'two', '```'))
    assert.deepEqual(read.map(({ output }) => output), ['one\n', undefined])
  })

  test('finds a fault of types, and a sample that fails', async () => {
    const [typed, failing] = samplesOf('a.md', page('```ts', "const port: number = '80'", '```', '```ts', 'process.exit(3)', '```'))
    assert.match(typeFaults([typed!]).get('a.md:1') ?? '', /not assignable to type 'number'/)
    assert.equal((await run(failing!)).code, 3)
  })
})
