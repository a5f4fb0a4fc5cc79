import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scriptedRandom, seededRandom } from '../../src/testing/index.ts'
import { newRequestId, randomHex } from '../../src/tracing/request-id.ts'

test('a request id is a UUID of version 4, and no two are the same', () => {
  const random = seededRandom(5)
  const ids = Array.from({ length: 2_000 }, () => newRequestId(random))
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.equal(new Set(ids).size, ids.length)
  assert.deepEqual(new Set(ids.map((id) => id[19])), new Set('89ab'), 'each variant of the standard comes about')
  assert.equal(newRequestId(scriptedRandom(0)), '00000000-0000-4000-8000-000000000000')
  assert.equal(newRequestId(scriptedRandom(1 - 2 ** -53)), 'ffffffff-ffff-4fff-bfff-ffffffffffff')
})

test('each digit is by chance, and every one of the sixteen comes about at every place', () => {
  const random = seededRandom(6)
  const texts = Array.from({ length: 1_000 }, () => randomHex(24, random))
  for (let at = 0; at < 24; at++) assert.equal(new Set(texts.map((text) => text[at])).size, 16, `place ${at}`)
  for (const text of texts) assert.match(text, /^[0-9a-f]{24}$/)
})
