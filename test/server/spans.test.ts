import assert from 'node:assert/strict'
import { createServer, request as send } from 'node:http'
import { afterEach, beforeEach, describe, test, type TestContext } from 'node:test'
import { getRequestListener } from '@hono/node-server'
import {
  context, createContextKey, propagation, SpanKind, SpanStatusCode, trace, type Context, type TextMapGetter, type TextMapPropagator,
} from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core'
import { B3Propagator } from '@opentelemetry/propagator-b3'
import {
  AlwaysOffSampler, InMemorySpanExporter, ParentBasedSampler, AlwaysOnSampler, SimpleSpanProcessor, TracerProvider, type ReadableSpan, type Sampler,
} from '@opentelemetry/sdk-trace'
import express from 'express'
import { Hono } from 'hono'
import { detached, systemClock } from '../../src/runtime/clock.ts'
import { currentPassport, expressPassport, honoPassport, withoutPassport, withPassport } from '../../src/server/index.ts'
import { gate } from '../scenarios/support/story.ts'
import { ask, frameworks, listening, meshFor, recorder } from './support.ts'

const path = '/shops/7/things/1?key=secret'
const traceId = '4b'.repeat(16)
const spanId = 'c5'.repeat(8)
const traceparent = `00-${traceId}-${spanId}-01`
const route = '/shops/:shop/things/:thing'

let exporter: InMemorySpanExporter

const register = (propagator: TextMapPropagator, sampler: Sampler = new ParentBasedSampler({ root: new AlwaysOnSampler() })): void => {
  exporter = new InMemorySpanExporter()
  trace.setGlobalTracerProvider(new TracerProvider({ sampler, spanProcessors: [new SimpleSpanProcessor({ exporter })] }))
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(propagator)
}

const unregister = (): void => {
  trace.disable()
  context.disable()
  propagation.disable()
}

const w3c = (): TextMapPropagator => new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] })

beforeEach(() => register(w3c()))
afterEach(unregister)

/** The finished spans of a kind, once there are so many. */
const spans = async (kind: SpanKind, count = 1): Promise<readonly ReadableSpan[]> => {
  const found = (): readonly ReadableSpan[] => exporter.getFinishedSpans().filter((span) => span.kind === kind)
  while (found().length < count) await new Promise<void>((resolve) => { setImmediate(resolve) })
  return found()
}

const serverSpan = async (): Promise<ReadableSpan> => {
  const found = await spans(SpanKind.SERVER)
  assert.equal(found.length, 1)
  return found[0]!
}

for (const [name, serve] of Object.entries(frameworks)) {
  describe(`with ${name}`, () => {
    const named = name === 'node:http' ? 'GET' : `GET ${route}`

    test('a request is a SERVER span below its caller, with calls made for it below', async (t) => {
      const { address: next, headers: recorded } = await recorder(t)
      const mesh = meshFor(t, { services: { 'next.test': [next] } })
      const address = await listening(t, await serve({ thing: async () => ({ answer: await (await mesh.fetch('http://next.test/')).text() }) }))
      await ask(address, path, { traceparent, 'x-request-id': 'mine-1', 'user-agent': 'test/1', 'baggage': 'user=7', 'b3': '0', 'host': 'Shop.test:8080' })
      const span = await serverSpan()
      assert.equal(span.name, named)
      assert.equal(span.spanContext().traceId, traceId)
      assert.equal(span.parentSpanContext?.spanId, spanId)
      assert.equal(span.status.code, SpanStatusCode.UNSET)
      const { 'network.peer.port': port, ...attributes } = span.attributes
      assert.equal(typeof port, 'number')
      assert.deepEqual(attributes, {
        'http.request.method': 'GET', 'url.path': '/shops/7/things/1', 'url.scheme': 'http', 'server.address': 'shop.test', 'server.port': 8080,
        'client.address': '127.0.0.1', 'network.peer.address': '127.0.0.1', 'network.protocol.version': '1.1', 'user_agent.original': 'test/1',
        'enmesh.request_id': 'mine-1', 'http.response.status_code': 200, ...(name !== 'node:http' && { 'http.route': route }),
      })
      const [client] = await spans(SpanKind.CLIENT)
      assert.equal(client!.parentSpanContext?.spanId, span.spanContext().spanId)
      const [arrived] = recorded
      assert.equal(arrived!['traceparent'], `00-${traceId}-${client!.spanContext().spanId}-01`)
      assert.equal(arrived!['baggage'], 'user=7')
      assert.equal(arrived!['b3'], '0', 'a format that the propagator does not speak goes on as it came')
    })

    test('without a trace of its own it begins one', async (t) => {
      const address = await listening(t, await serve({ thing: () => ({}) }))
      await ask(address, path)
      assert.equal((await serverSpan()).parentSpanContext, undefined)
    })

    test('a failure is an error of 5xx, an unknown path none', async (t) => {
      const address = await listening(t, await serve({ thing: () => { throw new Error('broken') } }))
      await ask(address, path)
      const failed = await serverSpan()
      assert.deepEqual([failed.name, failed.status.code, failed.attributes['error.type']], [named, SpanStatusCode.ERROR, '500'])
      exporter.reset()
      await ask(address, '/nowhere')
      const unknown = await serverSpan()
      assert.deepEqual([unknown.name, unknown.status.code, unknown.attributes['http.response.status_code']], ['GET', SpanStatusCode.UNSET, 404])
      assert.equal(unknown.attributes['http.route'], undefined)
      assert.equal(unknown.attributes['error.type'], undefined)
    })

    test('the span is active after a body has been parsed', async (t) => {
      const address = await listening(t, await serve({ thing: () => ({}) }))
      const { body } = await ask(address, '/echo', { 'content-type': 'application/json', 'x-request-id': 'kept' }, '{"a":1}')
      const span = await serverSpan()
      assert.equal(span.attributes['http.request.method'], 'POST')
      assert.deepEqual(JSON.parse(body), { body: { a: 1 }, requestId: 'kept', span: span.spanContext().spanId })
    })

    test('where a span is under way already there is no second one', async (t) => {
      const server = await serve({ thing: () => ({ active: trace.getActiveSpan()?.spanContext().spanId, id: currentPassport()?.requestId }) })
      const handle = server.listeners('request')[0] as (...told: unknown[]) => unknown
      const ids: string[] = []
      server.removeAllListeners('request').on('request', (...told) => trace.getTracer('theirs').startActiveSpan('theirs', { kind: SpanKind.SERVER }, (span) => {
        ids.push(span.spanContext().spanId)
        told[1].on('finish', () => span.end())
        handle.call(server, ...told)
      }))
      const address = await listening(t, server)
      const { body } = await ask(address, path, { traceparent, 'x-request-id': 'mine-2' })
      assert.deepEqual(JSON.parse(body), { active: ids[0], id: 'mine-2' })
      assert.equal((await serverSpan()).name, 'theirs')
    })
  })
}

const plain = async (t: TestContext, seen: () => unknown = () => ({})): Promise<string> =>
  listening(t, createServer(withPassport((_request, response) => { response.end(JSON.stringify(seen())) })))

test('an invalid traceparent begins a trace anew, sampled as the application samples', async (t) => {
  const { address: next, headers: recorded } = await recorder(t)
  const mesh = meshFor(t, { services: { 'next.test': [next] } })
  const address = await listening(t, createServer(withPassport(async (_request, response) => {
    response.end(await (await mesh.fetch('http://next.test/')).text())
  })))
  for (const invalid of [[traceparent, traceparent], `00-${'0'.repeat(32)}-${spanId}-01`, `ff-${traceId}-${spanId}-01`, 'nonsense', `00-${traceId.toUpperCase()}-${spanId}-01`]) {
    exporter.reset()
    recorded.length = 0
    await ask(address, '/', { traceparent: invalid, tracestate: 'a=1' })
    const span = await serverSpan()
    assert.equal(span.parentSpanContext, undefined, String(invalid))
    assert.notEqual(span.spanContext().traceId, traceId)
    assert.equal(span.spanContext().traceState?.get('a'), undefined)
    assert.match(String(recorded[0]!['traceparent']), new RegExp(`^00-${span.spanContext().traceId}-`))
    assert.equal(recorded[0]!['tracestate'], undefined)
  }
})

test('a tracestate that is none is dropped, and its traceparent goes on', async (t) => {
  const address = await plain(t)
  await ask(address, '/', { traceparent, tracestate: Array.from({ length: 33 }, (_, at) => `k${at}=1`).join(',') })
  const span = await serverSpan()
  assert.equal(span.parentSpanContext?.spanId, spanId)
  assert.equal(span.spanContext().traceState?.serialize() ?? '', '')
})

test('the trace of a format that the application registered goes on', async (t) => {
  unregister()
  register(new B3Propagator())
  const address = await plain(t)
  await ask(address, '/', { b3: `${traceId}-${spanId}-1`, traceparent: `00-${'11'.repeat(16)}-${spanId}-01` })
  assert.equal((await serverSpan()).spanContext().traceId, traceId)
})

test('a propagator that fails over what a stranger wrote costs nobody his answer', async (t) => {
  const extract = (context: Context, carrier: unknown, getter: TextMapGetter): Context => {
    assert.equal(getter.get(carrier, 'X-Own'), 'theirs')
    assert.ok(getter.keys(carrier).includes('x-own'))
    if (getter.get(carrier, 'x-own')) throw new URIError('malformed')
    return context
  }
  unregister()
  register({ extract, inject: () => {}, fields: () => [] })
  const address = await plain(t)
  assert.equal((await ask(address, '/', { 'x-own': 'theirs' })).status, 200)
  assert.equal((await serverSpan()).parentSpanContext, undefined)
})

test("with inbound: 'restart' the span has no parent", async (t) => {
  const address = await listening(t, createServer(withPassport((_request, response) => {
    response.end(propagation.getActiveBaggage()?.getEntry('admin')?.value ?? 'none')
  }, { inbound: 'restart' })))
  assert.equal((await ask(address, '/', { traceparent, baggage: 'admin=1' })).body, 'none')
  const span = await serverSpan()
  assert.equal(span.parentSpanContext, undefined)
  assert.notEqual(span.spanContext().traceId, traceId)
})

test('a request that was not sampled is not recorded, and its calls say so', async (t) => {
  const { address: next, headers: recorded } = await recorder(t)
  const mesh = meshFor(t, { services: { 'next.test': [next] } })
  const address = await listening(t, createServer(withPassport(async (_request, response) => {
    response.end(await (await mesh.fetch('http://next.test/')).text())
  })))
  await ask(address, '/', { traceparent: `00-${traceId}-${spanId}-00` })
  assert.match(String(recorded[0]!['traceparent']), new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`))
  assert.deepEqual(exporter.getFinishedSpans(), [])
})

test('an unsampled span that is under way is a span under way', async (t) => {
  unregister()
  register(w3c(), new ParentBasedSampler({ root: new AlwaysOffSampler() }))
  let theirs = ''
  let seen: string | undefined
  const listener = withPassport((_request, response) => {
    seen = trace.getActiveSpan()?.spanContext().spanId
    response.end()
  })
  const address = await listening(t, createServer((request, response) => trace.getTracer('theirs').startActiveSpan('theirs', (span) => {
    theirs = span.spanContext().spanId
    listener(request, Object.assign(response, { req: request }))
  })))
  await ask(address, '/')
  assert.equal(seen, theirs)
})

describe('an unsampled span that was left over where the server began to listen', () => {
  /** Drops the span of the start, and records what requests make. */
  const dropping = (): void => {
    unregister()
    const sampler = { shouldSample: (...[, , name]: Parameters<Sampler['shouldSample']>) => ({ decision: name === 'boot' ? 0 : 2 }) }
    register(w3c(), sampler as Sampler)
  }
  const startedBy = <T>(task: () => Promise<T>): Promise<T> => trace.getTracer('theirs').startActiveSpan('boot', async (span) => {
    const made = await task()
    span.end()
    return made
  })

  test('does not hide the trace of requests', async (t) => {
    dropping()
    const server = createServer(withPassport((_request, response) => { response.end() }))
    const address = await startedBy(() => listening(t, server))
    await ask(address, '/', { traceparent })
    const { parentSpanContext } = await serverSpan()
    assert.deepEqual([parentSpanContext?.traceId, parentSpanContext?.spanId], [traceId, spanId])
  })

  test('is none of a request without a trace, if it was there when the hook was made', async (t) => {
    dropping()
    const address = await startedBy(() => plain(t))
    await ask(address, '/')
    assert.equal((await serverSpan()).parentSpanContext, undefined)
  })

  test('is told from that of an instrumentation by the trace that came, also where nothing is taken over', async (t) => {
    unregister()
    register(w3c(), new ParentBasedSampler({ root: new AlwaysOnSampler() }))
    const seen: (string | undefined)[] = []
    const listener = withPassport((_request, response) => {
      seen.push(trace.getActiveSpan()?.spanContext().spanId)
      response.end()
    }, { inbound: 'restart' })
    const address = await listening(t, createServer((request, response) => {
      context.with(propagation.extract(context.active(), request.headers), () => trace.getTracer('theirs').startActiveSpan('theirs', (span) => {
        seen.push(span.spanContext().spanId)
        listener(request, Object.assign(response, { req: request }))
      }))
    }))
    await ask(address, '/', { traceparent: `00-${traceId}-${spanId}-00` })
    assert.equal(seen.length, 2)
    assert.equal(seen[0], seen[1])
  })
})

test('a span that ended where the server began to listen is not that of its requests', async (t) => {
  const address = await trace.getTracer('theirs').startActiveSpan('boot', async (span) => {
    const address = await plain(t)
    span.end()
    return address
  })
  await ask(address, '/')
  const span = await serverSpan()
  assert.equal(span.parentSpanContext, undefined)
})

test('where tracing is suppressed there is no span', async (t) => {
  const suppressed = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING')
  const listener = withPassport((_request, response) => { response.end(currentPassport()?.requestId) })
  const address = await listening(t, createServer((request, response) => {
    context.with(context.active().setValue(suppressed, true), () => listener(request, Object.assign(response, { req: request })))
  }))
  assert.equal((await ask(address, '/', { 'x-request-id': 'kept' })).body, 'kept')
  assert.deepEqual(exporter.getFinishedSpans(), [])
})

test('a method that is not one of the known, and a target for a proxy, name no series', async (t) => {
  const address = await plain(t)
  await ask(address, 'http://user:secret@other.test/path?key=secret', { host: 'bad host' }, undefined, 'PROPFIND')
  const { name, attributes } = await serverSpan()
  assert.equal(name, 'HTTP')
  assert.deepEqual(
    [attributes['http.request.method'], attributes['http.request.method_original'], attributes['url.path'], attributes['server.address']],
    ['_OTHER', 'PROPFIND', '/path', undefined],
  )
})

test('a client that hangs up ends the span, without an error and without a status', async (t) => {
  const inside = gate()
  const address = await listening(t, createServer(withPassport(() => inside.open())))
  const [host, port] = address.split(':')
  const request = send({ host, port, agent: false })
  request.on('error', () => {}).end()
  await inside.opened
  request.destroy()
  const { status, attributes } = await serverSpan()
  assert.equal(status.code, SpanStatusCode.UNSET)
  assert.equal(attributes['http.response.status_code'], undefined)
  assert.equal(attributes['error.type'], undefined)
})

test('the span lasts until the body of the response is out', async (t) => {
  const begun = gate()
  const release = gate()
  const address = await listening(t, createServer(withPassport(async (_request, response) => {
    response.write('head')
    begun.open()
    await release.opened
    response.end('tail')
  })))
  const answer = ask(address, '/')
  await begun.opened
  assert.deepEqual(exporter.getFinishedSpans(), [])
  release.open()
  assert.equal((await answer).body, 'headtail')
  await serverSpan()
})

test('background work that a request happens to start has no active span', async (t) => {
  const ticked = gate()
  const seen: unknown[] = []
  const address = await listening(t, createServer(withPassport(async (_request, response) => {
    systemClock.background(0, () => { seen.push(trace.getActiveSpan()); ticked.open() })
    detached(() => seen.push(trace.getActiveSpan()))
    withoutPassport(() => seen.push(trace.getActiveSpan()))
    assert.ok(trace.getActiveSpan())
    await ticked.opened
    response.end()
  })))
  assert.equal((await ask(address, '/')).status, 200)
  assert.deepEqual(seen, [undefined, undefined, undefined])
})

describe("Express's routes", () => {
  const routeOf = async (t: TestContext, app: express.Express, path: string): Promise<unknown> => {
    exporter.reset()
    const server = createServer(app)
    await ask(await listening(t, server), path)
    return (await serverSpan()).attributes['http.route']
  }

  test('are patterns, at whatever depth and with parameters in mount paths', async (t) => {
    const inner = express.Router()
    inner.get('/', (_request, response) => { response.end() })
    inner.get('/:order', (_request, response) => { response.end() })
    inner.get('/:order/broken', () => { throw new Error('broken') })
    const outer = express.Router()
    outer.use('/orders', inner)
    const app = express()
    app.set('env', 'test')
    app.use(expressPassport())
    app.get('/', (_request, response) => { response.end() })
    app.get(/^\/files\/(.*)$/, (_request, response) => { response.end() })
    app.use('/tenants/:tenant', (_request, _response, next) => next(), outer)
    assert.equal(await routeOf(t, app, '/'), '/')
    assert.equal(await routeOf(t, app, '/tenants/4%322/orders/7?a=1'), '/tenants/:tenant/orders/:order')
    assert.equal(await routeOf(t, app, '/tenants/42/orders'), '/tenants/:tenant/orders')
    assert.equal(await routeOf(t, app, '/tenants/42/orders/7/broken'), '/tenants/:tenant/orders/:order/broken')
    assert.equal(await routeOf(t, app, '/tenants/42/orders/7/none'), undefined)
    assert.equal(await routeOf(t, app, '/files/a'), undefined)
  })

  /** An application whose every mount has the same router. */
  const mounted = (...mounts: readonly (string | RegExp)[]): express.Express => {
    const router = express.Router({ mergeParams: true })
    router.get('/orders/:order', (_request, response) => { response.end() })
    router.use('/in/:id', express.Router({ mergeParams: true }).get('/orders', (_request, response) => { response.end() }))
    router.use('/orders', express.Router({ mergeParams: true }).get('/:order/lines', (_request, response) => { response.end() }))
    const app = express()
    app.use(expressPassport())
    for (const mount of mounts) app.use(mount, router)
    return app
  }

  test('have a star for a mount path of which the pattern can not be told from what it matched', async (t) => {
    const app = mounted('/users/:id', '/user-:id', '/v:version/:tenant', /^\/re\/(\d+)/, '/opt{/:lang}', '/from/:a/to/:b', '/w/*rest/end')
    for (const [path, route] of [
      ['/users/7/orders/1', '/users/:id/orders/:order'],
      ['/users/%7E/orders/1', '/users/:id/orders/:order'],
      ['/users/users/orders/1', '/*/orders/:order'],
      ['/users/s/orders/1', '/*/orders/:order'],
      ['/user-7/orders/1', '/*/orders/:order'],
      ['/v1/acme/orders/1', '/*/orders/:order'],
      ['/re/12/orders/3', '/*/orders/:order'],
      ['/opt/de/orders/1', '/opt/:lang/orders/:order'],
      ['/from/1/to/2/orders/3', '/from/:a/to/:b/orders/:order'],
      ['/from/1/to/1/orders/3', '/*/orders/:order'],
      ['/w/a/b/end/orders/1', '/*/orders/:order'],
      ['/w/a/b/c/end/orders/1/lines', '/*/orders/:order/lines'],
      ['/users/7/orders/1/lines', '/users/:id/orders/:order/lines'],
      ['/users/orders/orders/1/lines', '/users/:id/*/:order/lines'],
      ['/users/7/in/8/orders', '/users/:id/in/:id/orders'],
      ['/users/7/in/7/orders', '/users/:id/*/orders'],
    ] as const) assert.equal(await routeOf(t, app, path), route, path)
  })

  test('have a star for a mount inside of which the hook stands', async (t) => {
    const inner = express.Router()
    inner.use(expressPassport())
    inner.get('/orders', (_request, response) => { response.end() })
    const app = express()
    app.use('/tenants/:tenant', express.Router().use('/x', inner))
    assert.equal(await routeOf(t, app, '/tenants/42/x/orders'), '/*/orders')
  })

  test('are no more than so many, whatever callers ask for', async (t) => {
    const app = mounted('/plain', /^\/v\d+/)
    const address = await listening(t, createServer(app))
    const routes = async (paths: readonly string[]): Promise<readonly unknown[]> => {
      exporter.reset()
      for (const path of paths) await ask(address, path)
      return (await spans(SpanKind.SERVER, paths.length)).map(({ attributes }) => attributes['http.route'])
    }
    assert.deepEqual(await routes(['/plain/orders/1', '/PLAIN/orders/1', '/pLain/orders/1']), Array(3).fill('/plain/orders/:order'))
    const all = await routes(Array.from({ length: 300 }, (_, at) => `/v${at}/orders/1`))
    assert.equal(new Set(all).size, 256, '255 beside the plain one, and the star')
    assert.equal(all.at(-1), '/*/orders/:order')
    assert.deepEqual(await routes(['/plain/orders/1']), ['/plain/orders/:order'])
  })

  test('leave what handlers see of their request as it was', async (t) => {
    const inner = express.Router()
    inner.get('/:order', (request, response) => { response.json({ base: request.baseUrl, route: request.route.path, url: request.url }) })
    const app = express()
    app.use(expressPassport())
    app.use('/tenants/:tenant', inner)
    app.use((request, response) => { response.json({ base: request.baseUrl, url: request.url }) })
    const address = await listening(t, createServer(app))
    assert.deepEqual(JSON.parse((await ask(address, '/tenants/42/7')).body), { base: '/tenants/42', route: '/:order', url: '/7' })
    assert.deepEqual(JSON.parse((await ask(address, '/tenants/42/7/none')).body), { base: '', url: '/tenants/42/7/none' })
  })

  test('believe the proxies that the application trusts, and no others', async (t) => {
    const app = express()
    app.use(expressPassport())
    const headers = { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https' }
    const address = await listening(t, createServer(app))
    await ask(address, '/', headers)
    app.set('trust proxy', true)
    await ask(address, '/', headers)
    const [wary, trusting] = await spans(SpanKind.SERVER, 2)
    assert.deepEqual([wary!.attributes['client.address'], wary!.attributes['url.scheme']], ['127.0.0.1', 'http'])
    assert.deepEqual([trusting!.attributes['client.address'], trusting!.attributes['url.scheme']], ['203.0.113.9', 'https'])
    assert.equal(trusting!.attributes['network.peer.address'], '127.0.0.1')
  })
})

test('an inner hook names the route of the span that an outer one began', async (t) => {
  const app = new Hono()
  app.use(honoPassport())
  app.get('/things/:thing', (context) => context.text('ok'))
  await ask(await listening(t, createServer(withPassport(getRequestListener(app.fetch)))), '/things/1')
  assert.equal((await serverSpan()).name, 'GET /things/:thing')
})

test('Hono without a server of Node has a span too', async () => {
  const app = new Hono()
  app.use(honoPassport())
  app.get('/things/:thing', (context) => context.text(trace.getActiveSpan()!.spanContext().traceId))
  const response = await app.request('/things/1?key=secret', { headers: { traceparent } })
  assert.equal(await response.text(), traceId)
  const span = await serverSpan()
  assert.equal(span.name, 'GET /things/:thing')
  assert.equal(span.parentSpanContext?.spanId, spanId)
  assert.deepEqual([span.attributes['url.path'], span.attributes['http.response.status_code']], ['/things/1', 200])
  await app.request('/nowhere')
  assert.equal((await spans(SpanKind.SERVER, 2))[1]!.name, 'GET')
})

test('without an SDK a request has no span, and one registered later is found', async (t) => {
  unregister()
  const address = await plain(t, () => trace.getActiveSpan() === undefined)
  assert.equal((await ask(address, '/', { traceparent })).body, 'true')
  register(w3c())
  assert.equal((await ask(address, '/', { traceparent })).body, 'false')
  await serverSpan()
})
