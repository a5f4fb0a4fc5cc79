import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pageText, root } from './samples.ts'

const namesIn = (text: string, pattern: RegExp): readonly string[] => [...text.matchAll(pattern)].map(([, name]) => name!)

/** Events and their fields, as the source declares them. */
const declared = (): Readonly<Record<string, readonly string[]>> => {
  const source = readFileSync(join(root, 'src/core/events.ts'), 'utf8')
  const body = /export interface MeshEvents \{\n([\s\S]*?)^\}/m.exec(source)?.[1] ?? ''
  return Object.fromEntries([...body.matchAll(/^ {2}'([\w-]+)': \{([\s\S]*?)\}$/gm)]
    .map(([, event, fields]) => [event!, namesIn(fields!, /readonly (\w+)\??:/g)]))
}

/** Events and their fields, as the table of the guide lists them. */
const documented = (): Readonly<Record<string, readonly string[]>> => {
  const [, table = ''] = pageText('docs/guides/observing.md').split('| event | fields | when |\n')
  return Object.fromEntries([...table.matchAll(/^\| `([\w-]+)` \| ([^|]*) \|/gm)]
    .map(([, event, fields]) => [event!, namesIn(fields!, /`(\w+)`/g)]))
}

test('the table of events lists every event with every field, and no other', () => {
  const events = declared()
  assert.ok(Object.keys(events).length > 10)
  assert.deepEqual(documented(), events)
})
