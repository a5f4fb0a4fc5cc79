import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Span } from '@opentelemetry/api'
import { suppressTracing } from '@opentelemetry/core'
import { AlwaysOffSampler } from '@opentelemetry/sdk-trace'
import { request as dial } from 'undici'
import { carry } from '../../src/core/passport.ts'
import { createMesh, registries, type Mesh, type MeshInput } from '../../src/index.ts'
import { FakeRegistry } from '../../src/testing/index.ts'
import { listing, outcomeOf, virtual } from '../mesh/support.ts'
import { gate, next, rejection, story, turnsUntil } from '../scenarios/support/story.ts'
import { hangs, refused, resets, says, type Upstream } from '../scenarios/support/upstream.ts'
import { forget, inSpan, only, register, serving, spans, tree, unregister } from './sdk.ts'
import { fieldsOf, tell } from './support.ts'

beforeEach(() => register())
afterEach(unregister)

interface Asked { readonly method?: string, readonly headers?: Record<string, string>, readonly signal?: AbortSignal, readonly body?: string }

/** Both doors of a mesh; each resolves with the text of the answer. */
const doors: readonly (readonly [string, (mesh: Mesh, url: string, asked?: Asked) => Promise<string>])[] = [
  ['mesh.fetch', async (mesh, url, asked = {}) => (await mesh.fetch(url, asked)).text()],
  ['undici.request', async (mesh, url, asked = {}) => (await dial(url, { ...asked as object, dispatcher: mesh.dispatcher })).body.text()],
]

const service = (endpoints: readonly string[], policy: object = {}): MeshInput => ({
  services: { 'svc.test': { cluster: 'c', ...policy } },
  clusters: { c: { registry: { type: 'static', endpoints }, balancer: { type: 'round-robin' } } },
} as MeshInput)

const quick = { retry: { attempts: 2, backoff: { max: 1 } } }

/** Answers every other request with a status, beginning with the first. */
const everyOther = (status: number) => {
  let turn = 0
  return (...[request, response]: Parameters<ReturnType<typeof says>>): void =>
    says('every other', turn++ % 2 === 0 ? status : 200)(request, response)
}

const peer = ({ port }: Upstream) => ({ 'network.peer.address': '127.0.0.1', 'network.peer.port': port })

for (const [door, get] of doors) {
  test(`a call that goes well is one CLIENT span under its caller's, through ${door}`, async (t) => {
    const stage = story(t)
    const server = await stage.upstream(says('fine'))
    const mesh = stage.mesh(service([server.address]))
    await inSpan('work', () => get(mesh, 'http://svc.test:8080/price/42?currency=EUR'))
    assert.deepEqual(tree(), ['INTERNAL work', '  CLIENT GET svc.test'])
    const span = only(SpanKind.CLIENT)
    assert.deepEqual(span.attributes, {
      'http.request.method': 'GET',
      'url.full': 'http://svc.test:8080/price/42?currency=EUR',
      'server.address': 'svc.test',
      'server.port': 8080,
      ...peer(server),
      'network.protocol.version': '1.1',
      'http.response.status_code': 200,
      'enmesh.cluster': 'c',
    })
    assert.equal(span.instrumentationScope.name, 'enmesh')
    assert.deepEqual([span.status, span.events, span.links], [{ code: SpanStatusCode.UNSET }, [], []])
  })

  test(`a call without a caller's span begins a trace, through ${door}`, async (t) => {
    const stage = story(t)
    const server = await stage.upstream(says('fine'))
    await get(stage.mesh(service([server.address])), 'http://svc.test/')
    const span = only(SpanKind.CLIENT)
    assert.equal(span.parentSpanContext, undefined)
    const { traceId, spanId } = span.spanContext()
    assert.deepEqual(fieldsOf(server.requests[0]!, 'traceparent'), [`00-${traceId}-${spanId}-01`])
  })

  test(`a retried call has its first attempt beside its own span, which links to it, and the others under it, through ${door}`, async (t) => {
    const stage = story(t)
    const busy = await stage.upstream(says('busy', 503))
    const fine = await stage.upstream(says('fine'))
    const mesh = stage.mesh(service([busy.address, fine.address], quick))
    // Round-robin begins at one of the two by chance; until it is the busy one's turn nothing is retried.
    while (busy.requests.length === 0) {
      forget()
      await inSpan('work', () => get(mesh, 'http://svc.test/a'))
    }
    assert.deepEqual(tree(), ['INTERNAL work', '  CLIENT GET svc.test ERROR', '  INTERNAL call svc.test', '    CLIENT GET svc.test'])
    const [first, second] = spans().filter(({ kind }) => kind === SpanKind.CLIENT)
    const call = spans().find(({ name }) => name === 'call svc.test')!
    assert.deepEqual(call.links.map((link) => link.context), [first!.spanContext()])
    const requestId = busy.requests[0]!.headers['x-request-id']
    assert.deepEqual(call.attributes, {
      'enmesh.service': 'svc.test', 'enmesh.route': 'routes[0]', 'enmesh.cluster': 'c', 'enmesh.attempts': 2, 'enmesh.request_id': requestId,
      'http.request.method': 'GET', 'http.response.status_code': 200,
    })
    const common = {
      'http.request.method': 'GET', 'url.full': 'http://svc.test/a', 'server.address': 'svc.test', 'server.port': 80,
      'network.protocol.version': '1.1', 'enmesh.cluster': 'c',
    }
    assert.deepEqual(first!.attributes, { ...common, ...peer(busy), 'http.response.status_code': 503, 'error.type': '503' })
    assert.deepEqual(second!.attributes, {
      ...common, ...peer(fine), 'http.response.status_code': 200, 'http.request.resend_count': 1, 'enmesh.attempt.reason': 'retry after 503',
    })
    assert.deepEqual(first!.status, { code: SpanStatusCode.ERROR })
    // What each service is told is the attempt that it serves.
    for (const [span, server] of [[first, busy], [second, fine]] as const) {
      const { traceId, spanId } = span!.spanContext()
      assert.deepEqual(fieldsOf(server.requests.at(-1)!, 'traceparent'), [`00-${traceId}-${spanId}-01`])
    }
    const start = ([seconds, nanos]: readonly [number, number]): number => seconds * 1e3 + nanos / 1e6
    assert.ok(start(call.startTime) <= start(first!.startTime) + 1, 'the call began before its first attempt (to a millisecond)')
  })

  test(`a body that breaks off after the head fails its attempt's span, through ${door}`, async (t) => {
    const stage = story(t)
    const server = await stage.upstream((_, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('begun', () => response.destroy())
    })
    const mesh = stage.mesh(service([server.address], quick))
    await rejection(get(mesh, 'http://svc.test/'))
    const { attributes, status, events } = only(SpanKind.CLIENT)
    assert.equal(attributes['http.response.status_code'], 200)
    assert.equal(attributes['error.type'], 'ENMESH_CONNECTION_RESET')
    assert.equal(status.code, SpanStatusCode.ERROR)
    assert.deepEqual(events.map(({ name, attributes }) => [name, attributes?.['exception.type']]), [['exception', 'ENMESH_CONNECTION_RESET']])
    assert.equal(spans().length, 1)
  })

  test(`a span ends when the body does, through ${door}`, async (t) => {
    const stage = story(t)
    const end = gate()
    const server = await stage.upstream((_, response) => {
      response.write('begun')
      void end.opened.then(() => response.end())
    })
    const mesh = stage.mesh(service([server.address]))
    const text = get(mesh, 'http://svc.test/')
    await turnsUntil(() => mesh.status().calls === 1 && server.requests.length === 1, 'the request is there')
    assert.deepEqual(spans(), [])
    end.open()
    assert.equal(await text, 'begun')
    only(SpanKind.CLIENT)
  })

  test(`an unsampled caller's attempts are not recorded, and say so on the wire, through ${door}`, async (t) => {
    register({ sampler: new AlwaysOffSampler() })
    const stage = story(t)
    const server = await stage.upstream(everyOther(503))
    const mesh = stage.mesh(service([server.address], quick))
    const traceId = await inSpan('work', async () => {
      await get(mesh, 'http://svc.test/')
      return trace.getActiveSpan()!.spanContext().traceId
    })
    assert.deepEqual(spans(), [])
    assert.equal(server.requests.length, 2)
    const sent = server.requests.flatMap((request) => fieldsOf(request, 'traceparent'))
    assert.equal(new Set(sent).size, 2)
    for (const parent of sent) assert.match(parent, new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`))
  })

  test(`where tracing is suppressed there is no span and no trace on the wire, not even the inbound one, through ${door}`, async (t) => {
    const stage = story(t)
    const server = await stage.upstream(everyOther(503))
    const active: (Span | undefined)[] = []
    const mesh = stage.mesh(service([server.address], quick), {
      layers: { attempt: [(next) => (attempt) => { active.push(trace.getActiveSpan()); return next(attempt) }] },
    })
    const passport = { requestId: 'r', headers: ['uber-trace-id', '1:2:0:1', 'traceparent', `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`], deadline: Infinity }
    await inSpan('export', () => carry(passport, () => context.with(suppressTracing(context.active()), () => get(mesh, 'http://svc.test/'))))
    assert.deepEqual(tree(), ['INTERNAL export'])
    assert.deepEqual(active.map((span) => span?.spanContext().spanId), [1, 2].map(() => only(SpanKind.INTERNAL).spanContext().spanId))
    assert.equal(server.requests.length, 2)
    for (const request of server.requests) {
      for (const name of ['traceparent', 'tracestate', 'baggage', 'uber-trace-id']) assert.deepEqual(fieldsOf(request, name), [], name)
    }
  })

  test(`an SDK that is registered after the mesh was made is told, through ${door}`, async (t) => {
    unregister()
    const stage = story(t)
    const server = await stage.upstream(says('fine'))
    const mesh = stage.mesh(service([server.address]))
    await get(mesh, 'http://svc.test/')
    assert.deepEqual(fieldsOf(server.requests[0]!, 'traceparent'), [])
    register()
    await inSpan('work', () => get(mesh, 'http://svc.test/'))
    assert.deepEqual(tree(), ['INTERNAL work', '  CLIENT GET svc.test'])
    register()
    await inSpan('another', () => get(mesh, 'http://svc.test/'))
    assert.deepEqual(tree(), ['INTERNAL another', '  CLIENT GET svc.test'], 'one that replaces another is told instead')
    unregister()
    forget()
    await get(mesh, 'http://svc.test/')
    assert.deepEqual([spans(), fieldsOf(server.requests[3]!, 'traceparent')], [[], []])
  })

  test(`with tracing off the mesh makes no spans and writes no trace of its own, through ${door}`, async (t) => {
    const stage = story(t)
    const server = await stage.upstream(everyOther(503))
    const mesh = stage.mesh({ ...service([server.address], quick), telemetry: { tracing: false } })
    await inSpan('work', () => get(mesh, 'http://svc.test/', { headers: { 'Traceparent': 'mine' } }))
    assert.deepEqual(tree(), ['INTERNAL work'])
    for (const request of server.requests) assert.deepEqual(fieldsOf(request, 'traceparent'), ['mine'])
  })

  test(`layers of one's own see the active span: a call's the caller's, an attempt's its attempt's, through ${door}`, async (t) => {
    const stage = story(t)
    const server = await stage.upstream(everyOther(503))
    const seen: (Span | undefined)[] = []
    const mesh = stage.mesh(service([server.address], quick), {
      layers: {
        call: [(next) => (call) => { seen.push(trace.getActiveSpan()); return next(call) }],
        attempt: [(next) => (attempt) => {
          const active = trace.getActiveSpan()
          active!.setAttribute('mine', attempt.number)
          seen.push(active)
          return next(attempt)
        }],
      },
    })
    const work = await inSpan('work', async () => {
      await get(mesh, 'http://svc.test/')
      return trace.getActiveSpan()
    })
    const clients = spans().filter(({ kind }) => kind === SpanKind.CLIENT)
    assert.deepEqual(seen.map((span) => span?.spanContext().spanId), [work, ...clients].map((span) => span?.spanContext().spanId))
    assert.deepEqual(clients.map(({ attributes }) => attributes['mine']), [1, 2])
  })

  test(`a caller's abort leaves no error: before the head, in the body, and between two attempts, through ${door}`, async (t) => {
    const stage = story(t)
    const server = await stage.upstream(hangs)
    const mesh = stage.mesh({ ...service([server.address], { retry: { backoff: { base: '1h', max: '1h' } }, timeout: 0 }) })
    const aborted = async (when: (controller: AbortController) => Promise<unknown>): Promise<void> => {
      forget()
      const controller = new AbortController()
      const text = get(mesh, 'http://svc.test/', { signal: controller.signal })
      await Promise.all([rejection(text), when(controller).then(() => controller.abort(new Error('enough')))])
      await turnsUntil(() => mesh.status().calls === 0, 'the call is over')
    }
    await aborted(() => server.arrived(1))
    assert.deepEqual(tree(), ['CLIENT GET svc.test'])
    assert.equal(only(SpanKind.CLIENT).attributes['error.type'], undefined)

    const begun = gate()
    server.answer = (_, response) => { response.write('begun', () => begun.open()) }
    await aborted(() => begun.opened)
    assert.deepEqual(tree(), ['CLIENT GET svc.test'])

    server.answer = says('busy', 503)
    await aborted(() => next(mesh, 'retry'))
    assert.deepEqual(tree(), ['CLIENT GET svc.test ERROR'], 'the answer that was to be retried was one')
    assert.equal(only(SpanKind.CLIENT).attributes['error.type'], '503')
  })
}

test('one request that fans out to three services, each tried twice, is exactly this tree', async (t) => {
  const stage = story(t)
  const names = ['a.test', 'b.test', 'c.test']
  const servers = await Promise.all(names.map(() => stage.upstream(everyOther(503))))
  const mesh = stage.mesh({
    services: Object.fromEntries(names.map((name) => [name, { cluster: name, ...quick }])),
    clusters: Object.fromEntries(names.map((name, i) => [name, listing(servers[i]!.address)])),
  } as MeshInput)
  const front = await stage.upstream((request, response) => {
    void serving(request, () => Promise.all(names.map(async (name) => (await mesh.fetch(`http://${name}/`)).text()))).then(() => response.end())
  })
  const caller = { traceId: '1'.repeat(32), spanId: '2'.repeat(16) }
  await tell(front.url, [], ['traceparent', `00-${caller.traceId}-${caller.spanId}-01`])
  await turnsUntil(() => spans().length === 10, 'all spans have ended')
  assert.deepEqual(tree(), [
    'SERVER serve',
    ...names.map((name) => `  CLIENT GET ${name} ERROR`),
    ...names.flatMap((name) => [`  INTERNAL call ${name}`, `    CLIENT GET ${name}`]),
  ])
  for (const span of spans()) assert.equal(span.spanContext().traceId, caller.traceId)
  assert.equal(only(SpanKind.SERVER).parentSpanContext?.spanId, caller.spanId)
  for (const [i, name] of names.entries()) {
    const [first, second] = spans().filter(({ attributes }) => attributes['server.address'] === name)
    const call = spans().find((span) => span.name === `call ${name}`)!
    assert.deepEqual(call.links.map((link) => link.context.spanId), [first!.spanContext().spanId])
    assert.deepEqual(servers[i]!.requests.map((request) => fieldsOf(request, 'traceparent')[0]!.split('-')[2]),
      [first, second].map((span) => span!.spanContext().spanId))
    assert.deepEqual([first, second].map((span) => span!.attributes['http.request.resend_count']), [undefined, 1])
  }
})

test('three attempts have two beneath the call, counted as resends', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('busy', 503))
  const mesh = stage.mesh(service([server.address], { retry: { attempts: 3, backoff: { max: 1 } } }))
  await (await mesh.fetch('http://svc.test/', { method: 'PUT', body: 'x' })).text()
  // No caller's span: the first attempt begins the trace, and the call stands under it.
  assert.deepEqual(tree(), ['CLIENT PUT svc.test ERROR', '  INTERNAL call svc.test ERROR', '    CLIENT PUT svc.test ERROR', '    CLIENT PUT svc.test ERROR'])
  assert.deepEqual(spans().filter(({ kind }) => kind === SpanKind.CLIENT).map(({ attributes }) => attributes['http.request.resend_count']), [undefined, 1, 2])
  const { attributes, status } = only(SpanKind.INTERNAL)
  assert.deepEqual([attributes['error.type'], attributes['http.response.status_code'], attributes['enmesh.retry.stopped'], attributes['enmesh.attempts']], ['503', 503, 'attempts', 3])
  assert.deepEqual(status, { code: SpanStatusCode.ERROR })
})

test('a method that the conventions do not know is named for what it is', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('fine'))
  const mesh = stage.mesh(service([server.address]))
  await (await mesh.fetch('http://svc.test/', { method: 'PURGE' })).text()
  const { name, attributes } = only(SpanKind.CLIENT)
  assert.deepEqual([name, attributes['http.request.method'], attributes['http.request.method_original']], ['HTTP', '_OTHER', 'PURGE'])
})

test('the URL of a span has no credentials, and nothing of secret parameters', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('fine'))
  const mesh = stage.mesh(service([server.address]))
  const { body } = await dial('http://user:password@svc.test/a?x=1&X-Amz-Signature=abc&token=def', { dispatcher: mesh.dispatcher })
  await body.dump()
  assert.equal(only(SpanKind.CLIENT).attributes['url.full'], 'http://svc.test/a?x=1&X-Amz-Signature=REDACTED&token=REDACTED')
  assert.equal(server.requests[0]!.url, '/a?x=1&X-Amz-Signature=abc&token=def', 'what is sent is untouched')
})

test('errors have a type of few values: a status, or the code of the error', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('fine'))
  const failing = stage.mesh(service([refused], { retry: false }))
  const mesh = stage.mesh(service([server.address], { retry: false }))
  const outcome = async (of: Mesh, init?: object): Promise<unknown> => {
    forget()
    await of.fetch('http://svc.test/secret?token=abc', init as never).then((response) => response.text(), () => {})
    const { attributes, status, events } = only(SpanKind.CLIENT)
    assert.equal(spans().length, 1, tree().join('; '))
    assert.ok(!JSON.stringify([attributes, status, events.map((event) => event.attributes)]).includes('abc'), 'no secret in it')
    return [attributes['error.type'], attributes['http.response.status_code'], SpanStatusCode[status.code], events.length]
  }
  assert.deepEqual(await outcome(failing), ['ENMESH_CONNECT_FAILED', undefined, 'ERROR', 1])
  for (const status of [204, 302, 399]) {
    server.answer = (_, response) => { response.writeHead(status).end() }
    assert.deepEqual(await outcome(mesh, { redirect: 'manual' }), [undefined, status, 'UNSET', 0])
  }
  for (const status of [400, 404, 500, 503]) {
    server.answer = (_, response) => { response.writeHead(status).end() }
    assert.deepEqual(await outcome(mesh), [String(status), status, 'ERROR', 0])
  }
  server.answer = resets
  assert.deepEqual(await outcome(mesh, { mesh: { retry: false } }), ['ENMESH_CONNECTION_RESET', undefined, 'ERROR', 1])
  server.answer = hangs
  assert.deepEqual(await outcome(mesh, { mesh: { attemptTimeout: 20 } }), ['ENMESH_ATTEMPT_TIMEOUT', undefined, 'ERROR', 1])
  assert.deepEqual(await outcome(mesh, { mesh: { timeout: 20 } }), ['ENMESH_DEADLINE_EXCEEDED', undefined, 'ERROR', 1])
})

/** What the INTERNAL span of a refused call says. */
const refusal = (): unknown => {
  const { name, attributes, status, links } = only(SpanKind.INTERNAL)
  return [name, attributes['error.type'], SpanStatusCode[status.code], attributes['enmesh.attempts'], links.length]
}

test('a call refused before it has an endpoint leaves an INTERNAL span that says why', async () => {
  const nobody = new FakeRegistry()
  nobody.push()
  const families = { registries: registries.with(nobody.kind) }
  const mesh = createMesh({ services: { 'svc.test': { cluster: 'c' } }, clusters: { c: { registry: { type: 'fake' } } } }, families)
  await rejection(mesh.fetch('http://svc.test/'))
  assert.deepEqual(refusal(), ['call svc.test', 'ENMESH_NO_ENDPOINT', 'ERROR', 0, 0])
  assert.equal(spans().length, 1)
  await mesh.close()
})

test('a call that an open breaker refuses leaves an INTERNAL span, and one that it stops from a retry links to the attempt', async () => {
  const { mesh, clock } = virtual({
    services: { 'svc.test': { cluster: 'c', retry: { attempts: 2, backoff: { max: 1 } } } },
    clusters: { c: { ...listing('10.0.0.1:80'), breaker: { calls: 1, failures: 50 } } },
  }, { status: 503 })
  const text = mesh.fetch('http://svc.test/').then((response) => response.text())
  await turnsUntil(() => spans().length === 1, 'the attempt has failed')
  await clock.advance(1)
  await text
  assert.deepEqual(tree(), ['CLIENT GET svc.test ERROR', '  INTERNAL call svc.test ERROR'])
  assert.deepEqual(refusal(), ['call svc.test', '503', 'ERROR', 1, 1])
  assert.equal(only(SpanKind.INTERNAL).attributes['enmesh.retry.stopped'], 'refused')
  forget()
  await rejection(mesh.fetch('http://svc.test/'))
  assert.deepEqual(tree(), ['INTERNAL call svc.test ERROR'])
  assert.deepEqual(refusal(), ['call svc.test', 'ENMESH_CIRCUIT_OPEN', 'ERROR', 0, 0])
  await mesh.close()
})

test('a deadline that passes before an attempt leaves an INTERNAL span: over already, or while it waits', async () => {
  const silent = new FakeRegistry()
  const { mesh, clock } = virtual({
    services: { 'svc.test': { cluster: 'c' } }, clusters: { c: { registry: { type: 'fake' } } },
  } as never, {}, { registries: registries.with(silent.kind) } as never)
  await rejection(carry({ requestId: 'r', headers: [], deadline: clock.now() }, () => mesh.fetch('http://svc.test/')))
  assert.deepEqual(refusal(), ['call svc.test', 'ENMESH_DEADLINE_EXCEEDED', 'ERROR', 0, 0])
  forget()
  const waiting = rejection(mesh.fetch('http://svc.test/', { mesh: { timeout: 50 } }))
  await turnsUntil(() => mesh.status().calls === 1, 'it waits')
  await clock.advance(50)
  await waiting
  assert.deepEqual(refusal(), ['call svc.test', 'ENMESH_DEADLINE_EXCEEDED', 'ERROR', 0, 0])
  await mesh.close()
})

test('a deadline that cuts the wait between two attempts is the call\'s error, not the attempt\'s', async () => {
  const { mesh, clock } = virtual({
    services: { 'svc.test': { cluster: 'c', timeout: 100, retry: { attempts: 2, backoff: { base: 1, max: 1 } } } },
    clusters: { c: listing('10.0.0.1:80', '10.0.0.2:80') },
  }, ({ number }) => number === 1 ? { status: 503 } : { delay: Infinity })
  const outcome = outcomeOf(mesh.fetch('http://svc.test/').then((response) => response.status))
  await outcome
  await clock.advance(100)
  assert.deepEqual(tree(), ['CLIENT GET svc.test ERROR', '  INTERNAL call svc.test ERROR', '    CLIENT GET svc.test ERROR'])
  const call = only(SpanKind.INTERNAL)
  assert.deepEqual([call.attributes['error.type'], call.attributes['http.response.status_code']], ['ENMESH_DEADLINE_EXCEEDED', undefined])
  await mesh.close()
})

test('redirects that fetch follows are calls of their own under the same caller', async (t) => {
  const stage = story(t)
  const second = await stage.upstream(says('there'))
  const first = await stage.upstream((_, response) => { response.writeHead(302, { location: 'http://second.test/there' }).end() })
  const mesh = stage.mesh({ services: { 'first.test': [first.address], 'second.test': [second.address] } })
  await inSpan('work', async () => (await mesh.fetch('http://first.test/')).text())
  assert.deepEqual(tree(), ['INTERNAL work', '  CLIENT GET first.test', '  CLIENT GET second.test'])
  const parents = [first, second].map(({ requests }) => fieldsOf(requests[0]!, 'traceparent')[0]!.split('-')[2])
  assert.deepEqual(parents, spans().filter(({ kind }) => kind === SpanKind.CLIENT).map((span) => span.spanContext().spanId))
})

test('a request that a stale socket killed and that was sent once more is one span, which says so', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('fine'))
  const mesh = stage.mesh({ services: { 'svc.test': { cluster: 'c' } }, clusters: { c: { ...listing(server.address), connections: 1 } } })
  await (await mesh.fetch('http://svc.test/')).text()
  forget()
  let once = false
  server.answer = (request, response) => {
    if (once) return says('fine')(request, response)
    once = true
    request.socket.destroy()
  }
  await (await mesh.fetch('http://svc.test/')).text()
  assert.deepEqual(tree(), ['CLIENT GET svc.test'])
  assert.equal(only(SpanKind.CLIENT).attributes['enmesh.attempt.resent'], true)
  assert.deepEqual(fieldsOf(server.requests[1]!, 'traceparent'), fieldsOf(server.requests[2]!, 'traceparent'))
})

test('hosts that are no services have no span of the mesh', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('fine'))
  const mesh = stage.mesh({})
  await inSpan('work', async () => (await mesh.fetch(server.url)).text())
  assert.deepEqual(tree(), ['INTERNAL work'])
  assert.deepEqual(fieldsOf(server.requests[0]!, 'traceparent'), [])
})

test('spans need no context manager: calls have no parent then, and their attempts belong together all the same', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(everyOther(503))
  const mesh = stage.mesh(service([server.address], quick))
  context.disable()
  assert.equal(context.active(), ROOT_CONTEXT)
  await (await mesh.fetch('http://svc.test/')).text()
  // The first attempt begins the trace, so all that follows stands under it.
  assert.deepEqual(tree(), ['CLIENT GET svc.test ERROR', '  INTERNAL call svc.test', '    CLIENT GET svc.test'])
  assert.equal(new Set(spans().map((span) => span.spanContext().traceId)).size, 1)
  const sent = server.requests.map((request) => fieldsOf(request, 'traceparent')[0]!.split('-')[2])
  assert.deepEqual(sent, spans().filter(({ kind }) => kind === SpanKind.CLIENT).map((span) => span.spanContext().spanId))
})
