import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { request as dial } from 'undici'
import { carry, currentPassport, type Passport } from '../../src/core/passport.ts'
import type { Attempt } from '../../src/index.ts'
import { fakeRuntime, settle } from '../../src/testing/index.ts'
import { readPassport } from '../../src/tracing/inbound.ts'
import { listing, virtual } from '../mesh/support.ts'
import { story } from '../scenarios/support/story.ts'
import { says } from '../scenarios/support/upstream.ts'
import { fieldsOf } from './support.ts'

// All of this without an SDK: the process has no propagator, and the mesh makes no spans.

const parent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`

/** Every format that travels on, each with a value that it could have. */
const everything: Readonly<Record<string, string>> = {
  'traceparent': parent,
  'tracestate': 'a=1,b=2',
  'baggage': 'tenant=acme;p=1,user=%C3%A9',
  'b3': '80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90',
  'x-b3-traceid': '80f198ee56343ba864fe8b2a57d3eff7',
  'x-b3-spanid': 'e457b5a2e4d86bd1',
  'x-b3-parentspanid': '05e3ac9a4f6e3b90',
  'x-b3-sampled': '1',
  'x-b3-flags': '1',
  'x-amzn-trace-id': 'Self=1-67891234-12456789abcdef012345678;Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;CalledFrom=app',
  'uber-trace-id': '1234567890abcdef:2:0:01',
}

const names = Object.keys(everything)
const passport = (headers: readonly string[] = Object.entries(everything).flat(), rest: Partial<Passport> = {}): Passport =>
  ({ requestId: 'inbound-1', headers, deadline: Infinity, ...rest })

/** What of those formats stands on the wire, each name with all its values. */
const formatsOf = (request: IncomingMessage): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(names.map((name) => [name, fieldsOf(request, name)] as const).filter(([, values]) => values.length > 0))

const once = (fields: Readonly<Record<string, string>>) => Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, [value]]))

const retrying = { retry: { attempts: 3, backoff: { max: 1 } } }

test('what came in travels on as it came, in every format, on each attempt, through both doors', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('busy', 503))
  const mesh = stage.mesh({ services: { 'svc.test': { cluster: 'c', ...retrying } }, clusters: { c: listing(server.address) } })
  const inbound = readPassport((name) => everything[name], fakeRuntime())
  await carry(inbound, async () => (await mesh.fetch('http://svc.test/')).text())
  await carry(inbound, async () => (await dial('http://svc.test/', { dispatcher: mesh.dispatcher })).body.text())
  assert.equal(server.requests.length, 6)
  for (const request of server.requests) assert.deepEqual(formatsOf(request), once(everything))
})

test('outside of any inbound request nothing is made up', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('fine'))
  const mesh = stage.mesh({ services: { 'svc.test': [server.address] } })
  await (await mesh.fetch('http://svc.test/')).text()
  assert.deepEqual(formatsOf(server.requests[0]!), {})
  assert.equal(currentPassport(), undefined)
})

test("a caller's own fields win over what came in, format by format and whatever their case, through both doors", async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('fine'))
  const mesh = stage.mesh({ services: { 'svc.test': [server.address] } })
  const { traceparent: _p, tracestate: _s, ...others } = everything
  const withoutB3 = Object.fromEntries(Object.entries(everything).filter(([name]) => !name.includes('b3')))
  const cases: readonly (readonly [Record<string, string>, Readonly<Record<string, string>>])[] = [
    // The state that came belongs to the trace that came, so it stays behind.
    [{ Traceparent: 'mine' }, { ...others, traceparent: 'mine' }],
    [{ TraceState: 'mine=1' }, { ...others, tracestate: 'mine=1' }],
    [{ 'X-B3-TraceId': 'mine' }, { ...withoutB3, 'x-b3-traceid': 'mine' }],
    [{ B3: '0' }, { ...withoutB3, b3: '0' }],
    [{ Baggage: 'mine=1' }, { ...everything, baggage: 'mine=1' }],
    [{ 'X-Amzn-Trace-Id': 'mine' }, { ...everything, 'x-amzn-trace-id': 'mine' }],
    [{ 'Uber-Trace-Id': 'mine' }, { ...everything, 'uber-trace-id': 'mine' }],
  ]
  for (const [headers, expected] of cases) {
    await carry(passport(), async () => (await dial('http://svc.test/', { dispatcher: mesh.dispatcher, headers })).body.text())
    await carry(passport(), async () => (await mesh.fetch('http://svc.test/', { headers })).text())
    for (const request of server.requests.slice(-2)) assert.deepEqual(formatsOf(request), once(expected))
  }
})

test("what a layer writes on an attempt wins over what came in too", async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('fine'))
  const mesh = stage.mesh({ services: { 'svc.test': [server.address] } }, {
    layers: { attempt: [(next) => (attempt) => { attempt.headers = [...attempt.headers, 'Baggage', 'layer=1']; return next(attempt) }] },
  })
  await carry(passport(), async () => (await mesh.fetch('http://svc.test/')).text())
  assert.deepEqual(formatsOf(server.requests[0]!), once({ ...everything, baggage: 'layer=1' }))
})

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test("a call is named by its caller, else by its inbound request, else anew; all its attempts carry that name, and its trail tells it", async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('busy', 503))
  const mesh = stage.mesh({ services: { 'svc.test': { cluster: 'c', ...retrying } }, clusters: { c: listing(server.address) } })
  const idsOf = async (init?: RequestInit): Promise<readonly string[]> => {
    const before = server.requests.length
    const response = await mesh.fetch('http://svc.test/', init)
    await response.text()
    const sent = server.requests.slice(before).map((request) => fieldsOf(request, 'x-request-id'))
    assert.deepEqual(sent.map((ids) => ids.length), [1, 1, 1], 'one on each attempt')
    assert.equal(mesh.trail(response)?.requestId, sent[0]![0])
    return [...new Set(sent.flat())]
  }
  assert.deepEqual(await carry(passport(), () => idsOf({ headers: { 'X-Request-ID': 'mine' } })), ['mine'])
  assert.deepEqual(await idsOf({ headers: { 'X-Request-ID': 'mine' } }), ['mine'])
  assert.deepEqual(await carry(passport(), () => idsOf()), ['inbound-1'])
  assert.deepEqual(await carry(passport(), () => idsOf({ headers: { 'x-request-id': '' } })), ['inbound-1'], 'an empty name is none')
  const made = [await idsOf(), await idsOf()]
  for (const ids of made) {
    assert.equal(ids.length, 1)
    assert.match(ids[0]!, uuid)
  }
  assert.notDeepEqual(made[0], made[1])
})

test('without request ids none is sent but the caller\'s own', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('fine'))
  const mesh = stage.mesh({ services: { 'svc.test': [server.address] }, telemetry: { requestId: false } })
  const response = await carry(passport(), () => mesh.fetch('http://svc.test/'))
  await response.text()
  assert.equal(mesh.trail(response)?.requestId, undefined)
  await (await mesh.fetch('http://svc.test/', { headers: { 'x-request-id': 'mine' } })).text()
  assert.deepEqual(server.requests.map((request) => fieldsOf(request, 'x-request-id')), [[], ['mine']])
})

const timeLeft = 'x-envoy-expected-rq-timeout-ms'

const valuesOf = ({ headers }: Attempt, name: string): readonly string[] =>
  headers.filter((_, i) => i % 2 === 1 && headers[i - 1]!.toLowerCase() === name)

/** A mesh on virtual time whose attempts fail until the last after so many milliseconds each. */
const slow = (timeout: number, telemetry: object = {}) => virtual({
  services: { 'svc.test': { cluster: 'c', timeout, attemptTimeout: 40, retry: { attempts: 3, on: ['attempt-timeout'], backoff: { base: 1, max: 1 } } } },
  clusters: { c: listing('10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80') },
  telemetry,
}, ({ number }) => number === 3 ? {} : { delay: Infinity })

const sendAll = async ({ mesh, clock, upstream }: ReturnType<typeof slow>, init: RequestInit = {}, of?: Passport): Promise<readonly Attempt[]> => {
  const send = async (): Promise<string> => (await mesh.fetch('http://svc.test/', init)).text()
  const text = of ? carry(of, send) : send()
  await settle()
  await clock.advance(100)
  await text
  await mesh.close()
  assert.equal(upstream.attempts.length, 3)
  return upstream.attempts
}

test('each attempt tells the time that is left, which is less than the one before had', async () => {
  const attempts = await sendAll(slow(1_000))
  const told = attempts.map((attempt) => valuesOf(attempt, timeLeft))
  // What was waited for and the back-off are gone: 40 ms for each attempt, and up to 1 ms.
  assert.deepEqual(told.map((values) => values.length), [1, 1, 1])
  const [first, second, third] = told.map(([value]) => Number(value))
  assert.equal(first, 1_000)
  assert.ok(second! <= 960 && second! >= 958, String(second))
  assert.ok(third! <= 920 && third! >= 917, String(third))
})

test("an inbound request's deadline is what its calls have left, where it is the shorter one", async () => {
  const mesh = slow(1_000)
  const attempts = await sendAll(mesh, {}, passport([], { deadline: mesh.clock.now() + 500 }))
  assert.equal(valuesOf(attempts[0]!, timeLeft)[0], '500')
  const longer = slow(1_000)
  assert.equal(valuesOf((await sendAll(longer, {}, passport([], { deadline: longer.clock.now() + 5_000 })))[0]!, timeLeft)[0], '1000')
  const endless = slow(0)
  assert.equal(valuesOf((await sendAll(endless, {}, passport([], { deadline: endless.clock.now() + 700 })))[0]!, timeLeft)[0], '700')
})

test('without a deadline no time is told, and a grpc-timeout stays as it was written', async () => {
  for (const attempt of await sendAll(slow(0), { headers: { 'grpc-timeout': '5S' } })) {
    assert.deepEqual([valuesOf(attempt, timeLeft), valuesOf(attempt, 'grpc-timeout')], [[], ['5S']])
  }
})

test('telling the time that is left can be switched off', async () => {
  for (const attempt of await sendAll(slow(1_000, { deadline: false }), { headers: { 'grpc-timeout': '5S' } })) {
    assert.deepEqual([valuesOf(attempt, timeLeft), valuesOf(attempt, 'grpc-timeout')], [[], ['5S']])
  }
})

test('a grpc-timeout is shortened to what is left, and stands where it is shorter or no timeout', async () => {
  const shortened = (await sendAll(slow(1_000), { headers: { 'Grpc-Timeout': '5S' } })).map((attempt) => valuesOf(attempt, 'grpc-timeout'))
  assert.deepEqual(shortened.map((values) => values.length), [1, 1, 1])
  assert.equal(shortened[0]![0], '1000m')
  assert.match(shortened[2]![0]!, /^9(?:1[7-9]|20)m$/)
  for (const written of ['100m', '99999u', 'soon']) {
    const attempts = await sendAll(slow(1_000), { headers: { 'grpc-timeout': written } })
    assert.deepEqual(attempts.map((attempt) => valuesOf(attempt, 'grpc-timeout')), [[written], [written], [written]])
  }
  for (const attempt of await sendAll(slow(1_000))) assert.deepEqual(valuesOf(attempt, 'grpc-timeout'), [])
})

test('a caller who writes that he waits less long is believed, and no more than that', async () => {
  const told = async (written: string): Promise<unknown> =>
    (await sendAll(slow(1_000), { headers: { 'X-Envoy-Expected-Rq-Timeout-Ms': written } })).map((attempt) => valuesOf(attempt, timeLeft))[0]
  assert.deepEqual(await told('300'), ['300'])
  assert.deepEqual(await told('30000'), ['1000'])
  assert.deepEqual(await told('0'), ['1000'])
  assert.deepEqual(await told('long'), ['1000'])
})

test('hosts that are no services get none of it, neither when they are called nor when a service redirects there', async (t) => {
  const stage = story(t)
  const outside = await stage.upstream(says('outside'))
  const other = await stage.upstream(says('other'))
  const server = await stage.upstream((request, response) => {
    response.writeHead(302, { location: request.url === '/out' ? outside.url : 'http://other.test/' }).end()
  })
  const mesh = stage.mesh({ services: { 'svc.test': [server.address], 'other.test': [other.address] } })
  await carry(passport(), async () => {
    await (await mesh.fetch(outside.url)).text()
    await (await mesh.fetch('http://svc.test/out')).text()
    await (await mesh.fetch('http://svc.test/other')).text()
  })
  assert.equal(outside.requests.length, 2)
  for (const request of outside.requests) {
    assert.deepEqual([formatsOf(request), fieldsOf(request, 'x-request-id'), fieldsOf(request, timeLeft)], [{}, [], []])
  }
  for (const request of [...server.requests, ...other.requests]) {
    assert.deepEqual(formatsOf(request), once(everything))
    assert.deepEqual(fieldsOf(request, 'x-request-id'), ['inbound-1'])
    assert.match(fieldsOf(request, timeLeft).join(), /^\d+$/)
  }
})
