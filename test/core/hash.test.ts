import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hashAgain, hashOf } from '../../src/core/hash.ts'

/** MurmurHash3's fmix32, by integers of any length. */
const fmix32 = (value: bigint): number => {
  const word = 0xFFFF_FFFFn
  let hash = value & word
  hash = (hash ^ (hash >> 16n)) * 0x85EB_CA6Bn & word
  hash = (hash ^ (hash >> 13n)) * 0xC2B2_AE35n & word
  return Number(hash ^ (hash >> 16n))
}

describe('the hash of text', () => {
  for (const [text, fnv] of [['', 0x811C_9DC5n], ['a', 0xE40C_292Cn], ['b', 0xE70C_2DE5n], ['foobar', 0xBF9C_F968n]] as const) {
    test(`of '${text}' is the published one of FNV-1a, finished by MurmurHash3`, () => assert.equal(hashOf(text), fmix32(fnv)))
  }

  test('is a whole number of 32 bits without a sign', () => {
    for (let index = 0; index < 1_000; index++) {
      const hash = hashOf(`text ${index}`)
      assert.ok(Number.isInteger(hash) && hash >= 0 && hash < 2 ** 32)
    }
  })

  test('spreads short texts that differ by one character over all of it', () => {
    const buckets = new Array<number>(16).fill(0)
    for (let index = 0; index < 16_000; index++) buckets[hashOf(`u${index}`) >>> 28]!++
    for (const count of buckets) assert.ok(Math.abs(count - 1_000) < 150, String(buckets))
  })

  test('with another seed is another, which says nothing of the first', () => {
    const same = Array.from({ length: 4_000 }, (_, index) => `user-${index}`).filter((text) => hashOf(text) >>> 28 === hashOf(text, 1) >>> 28)
    assert.ok(Math.abs(same.length - 250) < 60, `${same.length} of 4 000 in the same sixteenth`)
  })
})

test('a further hash of 1 is what MurmurHash3 makes of it, and each turn is another', () => {
  assert.equal(hashAgain(1, 0), 0x514E_28B7)
  assert.equal(new Set(Array.from({ length: 10_000 }, (_, turn) => hashAgain(1, turn))).size, 10_000)
})
