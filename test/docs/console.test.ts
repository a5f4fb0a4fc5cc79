import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { commandsOf, patternOf, Shell } from './console.ts'
import { pages } from './samples.ts'

for (const page of pages.filter((page) => commandsOf(page).length > 0)) {
  // One after the other, as a reader would: later ones read what earlier ones wrote.
  test(`the commands of ${page} print what it says`, async (t) => {
    const shell = new Shell()
    t.after(() => { shell.close() })
    for (const { place, command, output } of commandsOf(page)) {
      const found = await shell.run(command)
      if (!patternOf(output).test(found)) assert.equal(found, output, `${place}: ${command}`)
    }
  })
}

test('the guides to the command line and to moving house have commands', () => {
  for (const page of ['docs/guides/command-line.md', 'docs/guides/from-app-mesh.md']) assert.ok(commandsOf(page).length > 3, page)
})

describe('reading commands', () => {
  test('takes each with its line and what is printed', () => {
    assert.deepEqual(commandsOf('a.md', 'x\n```console\n$ one\nout\n\n$ two\n```\n'), [
      { place: 'a.md:3', command: 'one', output: 'out\n\n' }, { place: 'a.md:6', command: 'two', output: '' },
    ])
  })

  test('leaves out lines where the page says so, and no others', () => {
    assert.match('a\nb\nc\nd\n', patternOf('a\n…\nd\n'))
    assert.match('a\nb\n', patternOf('a\n…\n'))
    assert.doesNotMatch('a\nb\nc\n', patternOf('a\nc\n'))
    assert.doesNotMatch('axc\n', patternOf('a.c\n'))
  })
})
