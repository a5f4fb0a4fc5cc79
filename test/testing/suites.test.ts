import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { root, runNode } from '../support/child.ts'
import { resultsOf, type Results } from '../support/tap.ts'

interface Report {
  readonly testResults: readonly { readonly assertionResults: readonly {
    readonly title: string, readonly status: string, readonly failureMessages: readonly string[],
  }[] }[]
}

const underVitest = async (file: string): Promise<Results> => {
  const folder = mkdtempSync(join(tmpdir(), 'enmesh-vitest-'))
  try {
    const report = join(folder, 'report.json')
    const { code, output } = await runNode([
      join(root, 'node_modules/vitest/vitest.mjs'), 'run', `${file}.spec.ts`,
      '--config', 'test/testing/vitest/vitest.config.ts', '--reporter=json', `--outputFile=${report}`,
    ])
    assert.ok(code !== null, `Vitest was stopped: ${output}`)
    const results = (JSON.parse(readFileSync(report, 'utf8')) as Report).testResults.flatMap(({ assertionResults }) => assertionResults)
    return {
      code,
      names: results.map(({ title }) => title),
      failures: new Map(results.filter(({ status }) => status !== 'passed').map(({ title, failureMessages }) => [title, failureMessages.join('\n')])),
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const underNode = (file: string): Promise<Results> => resultsOf(`test/testing/vitest/${file}.node.ts`)

const runners = { 'node:test': underNode, 'Vitest': underVitest }

const reasons: Readonly<Record<string, RegExp>> = {
  'it ends at once when its signal is aborted while it looks': /it goes on after its signal was aborted/,
  'it ends at once when its signal is aborted while it rests': /it says another set after its signal was aborted/,
  'it never picks a tried endpoint when the others look worse': /Expected "actual" not to be reference-equal/,
  'a second attempt reaches every other endpoint': /Expected values to be strictly equal:\s+5 !== 4/,
  'it never picks a tried endpoint while another is there': /10\.0\.0\.\d+:80 is picked again although others are left/,
  '"blue" matches what it should and nothing else': /should refuse: GET service\.local/,
}

describe('the suites of enmesh/testing', { concurrency: 2 }, () => {
  for (const [name, run] of Object.entries(runners)) {
    test(`pass good plug-ins under ${name}`, async () => {
      const { code, names, failures } = await run('good')
      assert.deepEqual([code, [...failures]], [0, []])
      assert.ok(names.length > 25, `only ${names.length} tests were run`)
    })

    test(`fail broken plug-ins under ${name}, for what is wrong with them`, async () => {
      const { code, names, failures } = await run('broken')
      assert.equal(code, 1)
      assert.ok(names.length > 25, `only ${names.length} tests were run`)
      assert.deepEqual([...failures.keys()].sort(), Object.keys(reasons).sort())
      for (const [name, reason] of failures) assert.match(reason, reasons[name]!)
    })
  }

  test('are the same tests under both', async () => {
    const [node, vitest] = await Promise.all([underNode('good'), underVitest('good')])
    assert.deepEqual(node.names, vitest.names)
  })
})

test('a fake mesh works under Vitest', async () => {
  const { code, names, failures } = await underVitest('mesh')
  assert.deepEqual([code, names.length, [...failures]], [0, 1, []])
})

test('importing enmesh/testing loads no test runner', async () => {
  const script = `
    await import('./src/testing/index.ts')
    console.log(process.moduleLoadList.filter((name) => /NativeModule (test|internal\\/test_runner\\/)/.test(name)).join())`
  const loaded = (await runNode(['--input-type=module', '--eval', script])).output.trim()
  assert.equal(loaded, '')
  const witness = await runNode(['--input-type=module', '--eval', script.replace('./src/testing/index.ts', 'node:test')])
  assert.match(witness.output, /internal\/test_runner/)
})
