import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { context, propagation, SpanKind, type SpanContext, type TextMapPropagator } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { CompositePropagator } from '@opentelemetry/core'
import { AWSXRayPropagator } from '@opentelemetry/propagator-aws-xray'
import { B3InjectEncoding, B3Propagator } from '@opentelemetry/propagator-b3'
import { JaegerPropagator } from '@opentelemetry/propagator-jaeger'
import { request as dial } from 'undici'
import { carry } from '../../src/core/passport.ts'
import { story } from '../scenarios/support/story.ts'
import { says } from '../scenarios/support/upstream.ts'
import { inSpan, register, spans, unregister, w3c } from './sdk.ts'
import { fieldsOf } from './support.ts'

after(unregister)

type Fields = Readonly<Record<string, string>>

interface Format {
  readonly name: string
  readonly propagator: () => TextMapPropagator
  /** What stands on the wire for an attempt. */
  readonly fields: (attempt: SpanContext) => Fields
}

const w3cFields = ({ traceId, spanId }: SpanContext): Fields => ({ traceparent: `00-${traceId}-${spanId}-01`, baggage: 'tenant=acme' })
const b3 = ({ traceId, spanId }: SpanContext): Fields => ({ b3: `${traceId}-${spanId}-1` })
const b3Multi = ({ traceId, spanId }: SpanContext): Fields => ({ 'x-b3-traceid': traceId, 'x-b3-spanid': spanId, 'x-b3-sampled': '1' })
const jaeger = ({ traceId, spanId }: SpanContext): Fields => ({ 'uber-trace-id': `${traceId}:${spanId}:0:01` })
const xray = ({ traceId, spanId }: SpanContext): Fields =>
  ({ 'x-amzn-trace-id': `Root=1-${traceId.slice(0, 8)}-${traceId.slice(8)};Parent=${spanId};Sampled=1` })

const formats: readonly Format[] = [
  { name: 'W3C and baggage', propagator: w3c, fields: w3cFields },
  { name: 'B3 single', propagator: () => new B3Propagator(), fields: b3 },
  { name: 'B3 multi', propagator: () => new B3Propagator({ injectEncoding: B3InjectEncoding.MULTI_HEADER }), fields: b3Multi },
  { name: 'Jaeger', propagator: () => new JaegerPropagator(), fields: jaeger },
  { name: 'X-Ray', propagator: () => new AWSXRayPropagator(), fields: xray },
  {
    name: 'all of them',
    propagator: () => new CompositePropagator({
      propagators: [w3c(), new B3Propagator(), new B3Propagator({ injectEncoding: B3InjectEncoding.MULTI_HEADER }), new JaegerPropagator(), new AWSXRayPropagator()],
    }),
    fields: (attempt) => ({ ...w3cFields(attempt), ...b3(attempt), ...b3Multi(attempt), ...jaeger(attempt), ...xray(attempt) }),
  },
]

const known = [
  'traceparent', 'tracestate', 'baggage', 'b3', 'x-b3-traceid', 'x-b3-spanid', 'x-b3-parentspanid', 'x-b3-sampled', 'x-b3-flags',
  'uber-trace-id', 'x-amzn-trace-id',
]

/** One field of each known format, with a value that is nobody's. */
const everyField = (value: string): readonly string[] => known.flatMap((name) => [name, value])

const titled = (name: string): string => name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())

/** The fields of a format as the mesh speaks it: those beside, of formats that nobody speaks, are not asked for. */
const onWire = (request: Parameters<typeof fieldsOf>[0], formats: readonly string[]) =>
  Object.fromEntries(known.filter((name) => formats.includes(name)).map((name) => [name, fieldsOf(request, name)] as const).filter(([, values]) => values.length > 0))

/** Which fields belong to a format of which a propagator writes one. */
const family = (fields: Fields): readonly string[] => known.filter((name) => Object.keys(fields).some((written) =>
  written === name || (written === 'traceparent' && name === 'tracestate') || (/b3/.test(written) && /b3/.test(name))))

for (const { name, propagator, fields } of formats) {
  test(`${name}: each attempt says its own place, each field once, whoever wrote it before`, async (t) => {
    register({ propagator: propagator() })
    const stage = story(t)
    let turn = 0
    const server = await stage.upstream((request, response) => says('x', turn++ % 2 === 0 ? 503 : 200)(request, response))
    const config = {
      services: { 'svc.test': { cluster: 'c', retry: { attempts: 2, backoff: { max: 1 } } } },
      clusters: { c: { registry: { type: 'static', endpoints: [server.address] } } },
    } as const
    const mesh = stage.mesh(config)
    const layered = stage.mesh(config, {
      layers: { attempt: [(next) => (attempt) => { attempt.headers = [...attempt.headers, ...everyField('layer')]; return next(attempt) }] },
    })
    const passport = { requestId: 'r', headers: everyField('passport'), deadline: Infinity }
    const byHand = Object.fromEntries(known.map((name) => [titled(name), 'hand']))
    const ways: readonly (readonly [string, () => Promise<unknown>])[] = [
      ['plainly', async () => (await mesh.fetch('http://svc.test/')).text()],
      ['by hand, through fetch', async () => (await mesh.fetch('http://svc.test/', { headers: byHand })).text()],
      ['by hand, through undici', async () => (await dial('http://svc.test/', { dispatcher: mesh.dispatcher, headers: byHand })).body.text()],
      ['by a layer', async () => (await layered.fetch('http://svc.test/')).text()],
      ['inbound', () => carry(passport, async () => (await mesh.fetch('http://svc.test/')).text())],
      ['all at once', () => carry(passport, async () => (await dial('http://svc.test/', { dispatcher: layered.dispatcher, headers: byHand })).body.text())],
    ]
    for (const [way, send] of ways) {
      const before = server.requests.length
      const ended = spans().length
      const baggage = propagation.setBaggage(context.active(), propagation.createBaggage({ tenant: { value: 'acme' } }))
      await context.with(baggage, () => inSpan('work', send))
      const attempts = spans().slice(ended).filter(({ kind }) => kind === SpanKind.CLIENT).map((span) => span.spanContext())
      const requests = server.requests.slice(before)
      assert.equal(requests.length, 2, way)
      for (const [index, request] of requests.entries()) {
        const expected = fields(attempts[index]!)
        assert.deepEqual(onWire(request, family(expected)), Object.fromEntries(Object.entries(expected).map(([name, value]) => [name, [value]])), way)
      }
    }
  })
}

test('a format that came in and that no propagator speaks travels on as it came; one that is spoken does not', async (t) => {
  register({ propagator: w3c() })
  const stage = story(t)
  const server = await stage.upstream(says('fine'))
  const mesh = stage.mesh({ services: { 'svc.test': [server.address] } })
  await carry({ requestId: 'r', headers: everyField('came'), deadline: Infinity }, async () => (await mesh.fetch('http://svc.test/')).text())
  const { traceparent, ...others } = onWire(server.requests[0]!, known)
  assert.match(traceparent![0]!, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  assert.deepEqual(others, Object.fromEntries(known.filter((name) => !['traceparent', 'tracestate', 'baggage'].includes(name)).map((name) => [name, ['came']])))
})

test("a long B3 that came in does not stand beside the propagator's short one, nor the other way round", async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('fine'))
  const mesh = stage.mesh({ services: { 'svc.test': [server.address] } })
  for (const [injectEncoding, came] of [
    [B3InjectEncoding.SINGLE_HEADER, ['x-b3-traceid', '1', 'x-b3-parentspanid', '2']], [B3InjectEncoding.MULTI_HEADER, ['b3', '1-2-1']],
  ] as const) {
    register({ propagator: new B3Propagator({ injectEncoding }) })
    await carry({ requestId: 'r', headers: came, deadline: Infinity }, async () => (await mesh.fetch('http://svc.test/')).text())
    const request = server.requests.at(-1)!
    for (const name of came.filter((_, i) => i % 2 === 0)) assert.deepEqual(fieldsOf(request, name).filter((value) => value.length < 16), [], name)
  }
})

test('a propagator that does not name the fields it writes is still the only one to write them', async (t) => {
  const jaeger = new JaegerPropagator()
  register({ propagator: { inject: (...args) => jaeger.inject(...args), extract: (...args) => jaeger.extract(...args), fields: () => [] } })
  const stage = story(t)
  const server = await stage.upstream(says('fine'))
  const mesh = stage.mesh({ services: { 'svc.test': [server.address] } })
  await carry({ requestId: 'r', headers: everyField('came'), deadline: Infinity }, async () => (await mesh.fetch('http://svc.test/')).text())
  const { traceId, spanId } = spans()[0]!.spanContext()
  assert.deepEqual(fieldsOf(server.requests[0]!, 'uber-trace-id'), [`${traceId}:${spanId}:0:01`])
})

test("other keys of X-Ray's inbound field are kept, with the attempt's own in front", async (t) => {
  register({ propagator: new AWSXRayPropagator() })
  const stage = story(t)
  const server = await stage.upstream(says('fine'))
  const mesh = stage.mesh({ services: { 'svc.test': [server.address] } })
  const root = 'Root=1-5759e988-bd862e3fe1be46a994272793'
  for (const [came, kept] of [
    [`Self=1-67891234-12456789abcdef012345678;${root};CalledFrom=app`, ';Self=1-67891234-12456789abcdef012345678;CalledFrom=app'],
    [`${root};Parent=53995c3f42cd8ad8;Sampled=1`, ''],
    [`${root}; parent = 53995c3f42cd8ad8 ; Lineage=a:1|b:2 ;junk; `, ';Lineage=a:1|b:2'],
  ] as const) {
    await carry({ requestId: 'r', headers: ['x-amzn-trace-id', came], deadline: Infinity }, async () => (await mesh.fetch('http://svc.test/')).text())
    const attempt = spans().at(-1)!.spanContext()
    assert.deepEqual(fieldsOf(server.requests.at(-1)!, 'x-amzn-trace-id'), [`${xray(attempt)['x-amzn-trace-id']}${kept}`])
  }
})

test('with tracing off, what a propagator speaks is left to whoever uses it, and the rest travels on', async (t) => {
  register({ propagator: w3c() })
  const stage = story(t)
  const server = await stage.upstream(says('fine'))
  const mesh = stage.mesh({ services: { 'svc.test': [server.address] }, telemetry: { tracing: false } })
  const headers = ['traceparent', `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`, 'uber-trace-id', '1:2:0:1']
  await carry({ requestId: 'r', headers, deadline: Infinity }, async () => (await mesh.fetch('http://svc.test/')).text())
  assert.deepEqual(onWire(server.requests[0]!, known), { 'uber-trace-id': ['1:2:0:1'] })
})

test('with propagators but no tracer, what came in travels on, but for what a propagator writes all the same', async (t) => {
  unregister()
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(w3c())
  const stage = story(t)
  const server = await stage.upstream(says('fine'))
  const mesh = stage.mesh({ services: { 'svc.test': [server.address] } })
  const headers = ['traceparent', `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`, 'tracestate', 'a=1', 'baggage', 'tenant=came']
  const send = () => carry({ requestId: 'r', headers, deadline: Infinity }, async () => (await mesh.fetch('http://svc.test/')).text())
  await send()
  assert.deepEqual(onWire(server.requests[0]!, known), { traceparent: [headers[1]], tracestate: ['a=1'], baggage: ['tenant=came'] })
  await context.with(propagation.setBaggage(context.active(), propagation.createBaggage({ tenant: { value: 'acme' } })), send)
  assert.deepEqual(onWire(server.requests[1]!, known), { traceparent: [headers[1]], tracestate: ['a=1'], baggage: ['tenant=acme'] })
})
