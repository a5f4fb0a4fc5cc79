import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { scriptedRandom, seededRandom, fakeRuntime } from '../../src/testing/index.ts'
import { readPassport } from '../../src/tracing/inbound.ts'
import { newTraceparent, readTraceparent, readTracestate } from '../../src/tracing/trace-context.ts'
import { story } from '../scenarios/support/story.ts'
import { says } from '../scenarios/support/upstream.ts'
import { callsOthers, fieldsOf, tell } from './support.ts'
import { cases, parentId, restarted, traceId, valid } from './trace-context-cases.ts'

const begun = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-02$/

/** What a server's field reader says of fields in pairs: several of one name joined, white space around each left to HTTP. */
const reading = (fields: readonly string[]) => (name: string): string | undefined => {
  const values = fields.filter((_, i) => i % 2 === 1 && fields[i - 1]!.toLowerCase() === name)
  return values.length === 0 ? undefined : values.join(', ')
}

const check = (what: string, sent: readonly string[], states: readonly string[], expected: typeof cases[number]): void => {
  if (expected.parent === restarted) {
    assert.equal(sent.length, 1, what)
    assert.match(sent[0]!, begun, what)
    assert.ok(!sent[0]!.includes(traceId), what)
  } else {
    assert.deepEqual(sent, expected.parent === undefined ? [] : [expected.parent], what)
  }
  assert.deepEqual(states, expected.state === undefined ? [] : [expected.state], what)
}

test('an inbound trace travels on as the specification has it', () => {
  assert.ok(cases.length >= 45)
  for (const expected of cases) {
    const { headers } = readPassport(reading(expected.came), fakeRuntime())
    const values = (name: string): readonly string[] => headers.filter((_, i) => i % 2 === 1 && headers[i - 1] === name)
    check(expected.what, values('traceparent'), values('tracestate'), expected)
  }
})

test('over the wire: a valid trace goes on and an invalid one is begun anew, on each of several calls, without an SDK', async (t) => {
  const stage = story(t)
  const last = await stage.upstream(says('here'))
  const mesh = stage.mesh({ services: { 'next.test': [last.address] } })
  const service = await stage.upstream(callsOthers(() => mesh))
  for (const expected of cases) {
    last.requests.length = 0
    await tell(service.url, ['http://next.test/1', 'http://next.test/2'], expected.came)
    assert.equal(last.requests.length, 2, expected.what)
    for (const request of last.requests) check(expected.what, fieldsOf(request, 'traceparent'), fieldsOf(request, 'tracestate'), expected)
    const [one, two] = last.requests.map((request) => fieldsOf(request, 'traceparent')[0])
    assert.equal(one, two, `${expected.what}: both calls are of one trace`)
  }
})

const hexes = (length: number) => fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length })
const ids = (length: number) => hexes(length).filter((id) => /[^0]/.test(id))

test('no text makes reading a parent throw, and what is read is valid', () => {
  const pieces = fc.array(fc.oneof(hexes(2), hexes(16), hexes(32), fc.constantFrom('-', '00', 'ff', '01', ' ', ',', traceId, parentId), fc.string()), { maxLength: 9 })
  fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), pieces.map((parts) => parts.join('-')), pieces.map((parts) => parts.join(''))), (text) => {
    const read = readTraceparent(text)
    if (read === undefined) return
    assert.match(read, /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[0-3]$/)
    assert.ok(text.includes(read.slice(3, 52)), 'the ids are those that came')
    assert.equal(readTraceparent(read), read)
  }), { numRuns: 2_000, seed: 20260101 })
})

test('each valid parent is read, of whatever version', () => {
  const versions = hexes(2).filter((version) => version !== 'ff')
  fc.assert(fc.property(versions, ids(32), ids(16), hexes(2), fc.string({ unit: fc.constantFrom(...'az09-. ') }), (version, trace, parent, flags, more) => {
    const known = Number.parseInt(flags, 16) & 3
    const text = `${version}-${trace}-${parent}-${flags}${version === '00' || more === '' ? '' : `-${more}`}`
    assert.equal(readTraceparent(text), `00-${trace}-${parent}-0${known}`)
  }), { numRuns: 1_000, seed: 20260102 })
})

test('a valid parent with one character changed is read only if it is valid still', () => {
  const character = fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 1 })
  fc.assert(fc.property(fc.nat(valid.length - 1), character, (at, other) => {
    const changed = valid.slice(0, at) + other + valid.slice(at + 1)
    const isValid = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/.test(changed)
    assert.equal(readTraceparent(changed) !== undefined, isValid, changed)
  }), { numRuns: 1_000, seed: 20260103 })
})

test('no text makes reading a state throw, and what is read reads the same again', () => {
  const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom(...'ab0@=,. \t_') }))
  fc.assert(fc.property(texts, (text) => {
    const read = readTracestate(text)
    if (read === undefined) return
    assert.ok(read.split(',').length <= 32)
    assert.equal(readTracestate(read), read)
  }), { numRuns: 2_000, seed: 20260104 })
})

test('white space is what HTTP says it is, and nothing more of what JavaScript would trim', () => {
  for (const blank of ['\u00a0', '\u000b', '\n', '\ufeff', '\u2003']) {
    assert.equal(readTraceparent(`${blank}${valid}`), undefined)
    assert.equal(readTraceparent(`${valid}${blank}`), undefined)
    assert.equal(readTracestate(`a=1,${blank}b=2`), undefined)
  }
  assert.equal(readTraceparent(`\t ${valid} \t`), valid)
})

test('a long run of white space costs no time worth speaking of', () => {
  const blanks = ' '.repeat(1_000_000)
  assert.equal(readTraceparent(`${blanks}x${blanks}x${blanks}`), undefined)
  assert.equal(readTracestate(`a=1,${blanks}x${blanks}x${blanks}`), undefined)
})

test('a trace begun anew never has an id of zeros, and no two are the same', () => {
  assert.equal(newTraceparent(scriptedRandom(0)), `00-${'0'.repeat(31)}1-${'0'.repeat(15)}1-02`)
  const random = seededRandom(3)
  const made = Array.from({ length: 500 }, () => newTraceparent(random))
  assert.equal(new Set(made).size, 500)
  for (const parent of made) assert.match(parent, begun)
})
