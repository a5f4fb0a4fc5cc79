import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect as connectH2, createServer as createH2Server, type Http2Server, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { connect, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { createMesh, registries } from '../../src/index.ts'
import { detached, systemClock } from '../../src/runtime/clock.ts'
import { currentPassport, expressPassport, fastifyPassport, honoPassport, withoutPassport, withPassport, type Passport } from '../../src/server/index.ts'
import { FakeClock, FakeRegistry, seededRandom, settle } from '../../src/testing/index.ts'
import { gate } from '../scenarios/support/story.ts'
import { ask, frameworks, listening, meshFor, recorder, turns } from './support.ts'

const idNow = (): string => currentPassport()?.requestId ?? 'none'

for (const [name, serve] of Object.entries(frameworks)) {
  test(`1 000 overlapping requests to ${name} never swap passports`, async (t) => {
    const { address: next, headers: recorded } = await recorder(t)
    const mesh = meshFor(t, { services: { 'next.test': { routes: [{ to: 'next' }] } }, clusters: { next: { registry: { type: 'static', endpoints: [next] } } } })
    const random = seededRandom(11)
    const allIn = gate()
    const swapped: string[] = []
    let inside = 0
    const address = await listening(t, await serve({
      thing: async (thing) => {
        const check = (place: string): void => { if (idNow() !== `id-${thing}`) swapped.push(`${place} of ${thing}: ${idNow()}`) }
        check('start')
        if (++inside === 1_000) allIn.open()
        await allIn.opened
        check('all in')
        await turns(Math.floor(random() * 7))
        check('after some turns')
        const response = await mesh.fetch('http://next.test/', { headers: { 'x-thing': thing } })
        check('head')
        await response.text()
        check('body')
        return { thing, id: idNow() }
      },
    }))
    // Pipelined: each of 20 connections has 50 requests under way, which share its async context.
    const answers = await Promise.all(Array.from({ length: 20 }, (_, line) => pipelined(address, Array.from({ length: 50 }, (_, at) => line * 50 + at))))
    assert.deepEqual(swapped, [])
    assert.equal(recorded.length, 1_000)
    for (const headers of recorded) assert.equal(headers['x-request-id'], `id-${headers['x-thing'] as string}`)
    for (const [line, text] of answers.entries()) {
      const ids = [...text.matchAll(/^x-request-id: id-(\d+)\r$/gm)].map(([, id]) => Number(id))
      assert.deepEqual(ids, Array.from({ length: 50 }, (_, at) => line * 50 + at))
    }
  })
}

/** Sends requests down one connection without waiting between them, and reads all answers. */
const pipelined = (address: string, things: readonly number[]): Promise<string> => new Promise((resolve, reject) => {
  const [host, port] = address.split(':')
  const socket = connect(Number(port), host)
  let text = ''
  const last = things.length - 1
  socket.setEncoding('utf8').on('data', (chunk) => { text += String(chunk) }).on('end', () => resolve(text)).on('error', reject)
  for (const [at, thing] of things.entries()) {
    socket.write(`GET /shops/7/things/${thing} HTTP/1.1\r\nhost: a\r\nx-request-id: id-${thing}\r\n${at === last ? 'connection: close\r\n' : ''}\r\n`)
  }
})

test('listeners on request and response, timers and streams have the passport', async (t) => {
  const places: Record<string, string> = {}
  const note = (place: string) => (): void => { places[place] = idNow() }
  const closed = gate()
  const server = createServer(withPassport((request: IncomingMessage, response: ServerResponse) => {
    request.on('data', note('data')).on('end', () => {
      note('end')()
      systemClock.after(0, () => {
        note('timer')()
        response.end('ok')
      })
    }).on('close', note('request closed'))
    response.on('finish', note('finish')).on('close', () => {
      note('response closed')()
      closed.open()
    })
    void (async () => {
      await once(request, 'end')
      note('awaited event')()
    })()
  }))
  const address = await listening(t, server)
  await ask(address, '/', { 'x-request-id': 'kept' }, 'a body')
  await closed.opened
  assert.deepEqual(places, Object.fromEntries(
    ['data', 'end', 'timer', 'request closed', 'finish', 'response closed', 'awaited event'].map((place) => [place, 'kept'])))
})

test("a listener keeps a context of the handler's own that it is told in", async (t) => {
  const seen: unknown[] = []
  const own = new AsyncLocalStorage<string>()
  const address = await listening(t, createServer(withPassport((request, response) => {
    request.on('mine', () => { seen.push(own.getStore(), idNow()) })
    own.run('inner', () => request.emit('mine'))
    response.end()
  })))
  await ask(address, '/', { 'x-request-id': 'kept' })
  assert.deepEqual(seen, ['inner', 'kept'])
})

test('background work that a request happens to start carries no passport', async (t) => {
  const clock = new FakeClock()
  const registry = new FakeRegistry()
  const seen: string[] = []
  const ticked = gate()
  const watching = { ...registry.kind, make: () => async function* (watch: Parameters<typeof registry.registry>[0]) {
    for await (const set of registry.registry(watch)) {
      seen.push(`registry: ${idNow()}`)
      yield set
    }
  } }
  const address = await listening(t, createServer(withPassport(async (_request, response) => {
    const mesh = createMesh({
      services: { 'next.test': { cluster: 'next' } }, clusters: { next: { registry: { type: 'fake' } } },
    }, { registries: registries.with(watching), runtime: { clock } })
    t.after(() => mesh.close())
    registry.push('10.0.0.1:80')
    await mesh.ready()
    systemClock.background(0, () => { seen.push(`timer: ${idNow()}`); ticked.open() })
    detached(() => { seen.push(`detached: ${idNow()}`) })
    seen.push(`handler: ${idNow()}`)
    await ticked.opened
    response.end()
  })))
  await ask(address, '/', { 'x-request-id': 'foreground' })
  registry.push('10.0.0.2:80')
  await settle()
  assert.deepEqual(seen.sort(), ['detached: none', 'handler: foreground', 'registry: none', 'registry: none', 'timer: none'])
})

test('a chain of three services shares the 500 ms that the first was given', async (t) => {
  const clock = new FakeClock()
  const hangs = gate()
  t.after(() => hangs.open())
  const stuck = await listening(t, createServer((_request, response) => { void hangs.opened.then(() => response.end()) }))
  const seen: Record<string, unknown> = {}
  const service = async (name: string, next: string, takes: number): Promise<string> => {
    const mesh = meshFor(t, { services: { 'next.test': { routes: [{ to: 'next', timeout: '15s', retry: false }] } },
      clusters: { next: { registry: { type: 'static', endpoints: [next] } } } }, { runtime: { clock } })
    return listening(t, createServer(withPassport(async (request, response) => {
      seen[name] = request.headers['x-envoy-expected-rq-timeout-ms']
      await clock.advance(takes)
      const began = clock.now()
      const code = await mesh.fetch('http://next.test/').then((answer) => answer.text(), ({ code }: { code: string }) => code)
      seen[`${name} waited`] = clock.now() - began
      seen[`${name} got`] = code
      response.end('late')
    }, { runtime: { clock } })))
  }
  const third = await service('third', stuck, 50)
  const second = await service('second', third, 100)
  const first = await service('first', second, 100)
  const answer = ask(first, '/', { 'x-envoy-expected-rq-timeout-ms': '500' })
  while (!('third' in seen) || clock.now() < 1_250) await nextTurn()
  await clock.advance(249)
  assert.equal(clock.awaited, 3, 'all three calls wait still')
  await clock.advance(1)
  assert.equal((await answer).body, 'late')
  while (!('third waited' in seen) || !('second waited' in seen)) await nextTurn()
  assert.deepEqual(seen, {
    'first': '500', 'second': '400', 'third': '300',
    'first waited': 400, 'second waited': 300, 'third waited': 250,
    'first got': 'ENMESH_DEADLINE_EXCEEDED', 'second got': 'ENMESH_DEADLINE_EXCEEDED', 'third got': 'ENMESH_DEADLINE_EXCEEDED',
  })
})

test('a request that passes two hooks keeps its first passport', async (t) => {
  const app = express()
  app.use(expressPassport())
  app.get('/', (_request, response) => { response.end(idNow()) })
  let outer = ''
  const address = await listening(t, createServer(withPassport((request, response) => {
    outer = idNow()
    app(request, response)
  })))
  const { headers, body } = await ask(address, '/')
  assert.equal(body, outer)
  assert.equal(headers['x-request-id'], outer)
})

test('a server that began to listen inside of a request does not give its passport to others', async (t) => {
  const address = await listening(t, createServer(withPassport(async (_request, response) => {
    response.end(await listening(t, createServer(withPassport((_request, response) => { response.end(idNow()) }))))
  })))
  const { body: inner } = await ask(address, '/', { 'x-request-id': 'outer' })
  assert.equal((await ask(inner, '/', { 'x-request-id': 'inner' })).body, 'inner')
})

test('the wrapper returns and throws what the listener does, and leaves its this alone', async () => {
  const server = createServer()
  const request = (): [IncomingMessage, ServerResponse] => {
    const message = Object.assign(Object.create(null), { headers: {}, httpVersion: '1.1', socket: {}, emit: () => true }) as IncomingMessage
    return [message, { setHeader: () => {}, emit: () => true } as unknown as ServerResponse]
  }
  const listener = withPassport(function (this: unknown): unknown { return this })
  assert.equal(Reflect.apply(listener, server, request()), server)
  const broken = new Error('broken')
  assert.throws(() => withPassport(() => { throw broken })(...request() as [never, never]), broken)
  await assert.rejects(withPassport(() => Promise.reject(broken))(...request() as [never, never]), broken)
})

test('HTTP/2 works as well', async (t) => {
  const server: Http2Server = createH2Server(withPassport((_request: Http2ServerRequest, response: Http2ServerResponse) => { response.end(idNow()) }))
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  const session = connectH2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  t.after(() => { session.close(); server.close() })
  const stream = session.request({ ':path': '/', 'x-request-id': 'two' })
  const [headers] = await once(stream, 'response') as [Record<string, unknown>]
  let body = ''
  for await (const chunk of stream.setEncoding('utf8')) body += String(chunk)
  assert.equal(headers['x-request-id'], 'two')
  assert.equal(body, 'two')
})

test('Hono has the passport without a server of Node, and answers with its id whatever the handler made', async () => {
  const app = new Hono()
  app.use(honoPassport())
  app.get('/own', () => new Response(idNow()))
  app.get('/frozen', () => Response.redirect('http://a.test/', 302))
  app.get('/fails', () => { throw new Error('broken') })
  const headers = { 'x-request-id': 'kept' }
  assert.equal(await (await app.request('/own', { headers })).text(), 'kept')
  for (const path of ['/own', '/frozen', '/nowhere']) assert.equal((await app.request(path, { headers })).headers.get('x-request-id'), 'kept', path)
  app.onError((_error, context) => context.text('broken', 500))
  const failed = await app.request('/fails', { headers })
  assert.deepEqual([failed.status, failed.headers.get('x-request-id')], [500, 'kept'])
})

test('with the listener of its server wrapped, Hono has the passport in streams that its server reads', async (t) => {
  const app = new Hono()
  app.use(honoPassport())
  app.get('/', () => {
    let pulls = 0
    return new Response(new ReadableStream({
      pull: async (controller) => {
        await nextTurn()
        controller.enqueue(new TextEncoder().encode(`${idNow()} `))
        if (++pulls === 5) controller.close()
      },
    }))
  })
  const server = createServer(withPassport(getRequestListener(app.fetch)))
  assert.equal((await ask(await listening(t, server), '/', { 'x-request-id': 'kept' })).body, 'kept '.repeat(5))
})

test("Fastify's plugin holds in every scope and hook, and for requests that are injected", async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  const hooks: string[] = []
  app.get('/before', async () => idNow())
  await app.register(fastifyPassport, { prefix: '/ignored', logLevel: 'warn', logSerializers: {}, inbound: 'continue' })
  for (const hook of ['preParsing', 'preValidation', 'preHandler', 'onSend', 'onResponse'] as const) {
    app.addHook(hook as 'preHandler', async () => { hooks.push(`${hook} ${idNow()}`) })
  }
  await app.register(async (scope) => {
    await scope.register(async (inner) => { inner.get('/deep', async () => idNow()) })
  })
  let passport: Passport | undefined
  app.get('/timed', async () => { passport = currentPassport() })
  await app.inject({ url: '/timed', headers: { 'grpc-timeout': '1H' } })
  while (passport!.deadline !== Infinity) await nextTurn()
  hooks.length = 0
  const { body, headers } = await app.inject({ url: '/deep', headers: { 'x-request-id': 'deep' } })
  assert.deepEqual([body, headers['x-request-id']], ['deep', 'deep'])
  assert.equal((await app.inject({ url: '/before', headers: { 'x-request-id': 'b' } })).body, 'b')
  assert.deepEqual(hooks.slice(0, 5), ['preParsing deep', 'preValidation deep', 'preHandler deep', 'onSend deep', 'onResponse deep'])
})

test('what is no option is refused in words', () => {
  const hooks: ((options: object) => unknown)[] = [expressPassport, honoPassport, (options) => withPassport((request) => { request.resume() }, options)]
  for (const hook of hooks) {
    assert.throws(() => hook({ inbund: 'restart' }), /^TypeError: enmesh\/server has no option 'inbund': did you mean 'inbound'\?$/)
    assert.throws(() => hook({ inbound: 'restrat' }), /^TypeError: 'inbound' of enmesh\/server must be 'continue' or 'restart', not "restrat"$/)
  }
})

test("what is no option is refused by Fastify's plugin too, when the app starts", async () => {
  for (const [options, message] of [
    [{ inboud: 'restart' }, /^TypeError: enmesh\/server has no option 'inboud': did you mean 'inbound'\?$/],
    [{ prefix: '/a', inbound: 'restrat' }, /^TypeError: 'inbound' of enmesh\/server must be 'continue' or 'restart', not "restrat"$/],
  ] as const) {
    await assert.rejects(async () => Fastify().register(fastifyPassport, options as object), message)
  }
})

test("off Node's server, a request id that Hono's handler writes stands", async () => {
  const app = new Hono()
  app.use(honoPassport())
  app.get('/', (context) => context.text('ok', 200, { 'x-request-id': 'my-own' }))
  app.get('/handed-on', () => new Response('ok', { headers: { 'x-request-id': 'their-own' } }))
  assert.equal((await app.request('/', { headers: { 'x-request-id': 'came' } })).headers.get('x-request-id'), 'my-own')
  assert.equal((await app.request('/handed-on')).headers.get('x-request-id'), 'their-own')
})

test("off Node's server, Hono's deadline ends with the middleware", async () => {
  const app = new Hono()
  app.use(honoPassport({ runtime: { clock: new FakeClock() } }))
  let passport: Passport | undefined
  app.get('/', (context) => {
    passport = currentPassport()
    return context.text(String(passport?.deadline))
  })
  assert.equal(await (await app.request('/', { headers: { 'x-envoy-expected-rq-timeout-ms': '100' } })).text(), '1100')
  assert.equal(passport?.deadline, Infinity)
})

test('the deadline ends with a response whose client hung up, too', async (t) => {
  const inside = gate()
  const over = gate()
  let passport: Passport | undefined
  const address = await listening(t, createServer(withPassport((_request, response) => {
    passport = currentPassport()
    response.once('close', over.open)
    inside.open()
  })))
  const [host, port] = address.split(':')
  const socket = connect(Number(port), host)
  socket.write('GET / HTTP/1.1\r\nhost: a\r\ngrpc-timeout: 1H\r\n\r\n')
  await inside.opened
  assert.ok(passport!.deadline < Infinity)
  socket.destroy()
  await over.opened
  assert.equal(passport!.deadline, Infinity)
})

test('work that a request starts without its passport has none, and no active span, whatever it starts in turn', async (t) => {
  const seen: string[] = []
  const done = gate()
  const address = await listening(t, createServer(withPassport(async (_request, response) => {
    const made = withoutPassport(() => {
      seen.push(idNow())
      systemClock.after(0, () => { seen.push(idNow()); done.open() })
      return 'made'
    })
    seen.push(made, idNow())
    await done.opened
    seen.push(idNow())
    response.end()
  })))
  await ask(address, '/', { 'x-request-id': 'kept' })
  assert.deepEqual(seen, ['none', 'made', 'kept', 'none', 'kept'])
})

test('a timeout at the entrance bounds all calls of a request together, and those behind are told what is left', async (t) => {
  const clock = new FakeClock()
  const { address: next, headers } = await recorder(t)
  const mesh = meshFor(t, { services: { 'next.test': [next] } }, { runtime: { clock } })
  const answer = async (): Promise<string> => {
    await (await mesh.fetch('http://next.test/')).text()
    for (let turn = 0; turn < 2; turn++) {
      await clock.advance(300)
      await mesh.fetch('http://next.test/').then((response) => response.text(), () => {})
    }
    return mesh.fetch('http://next.test/').then(() => 'sent', (error: { code: string }) => error.code)
  }
  const serve = withPassport((_: IncomingMessage, response: ServerResponse) => { void answer().then((code) => response.end(code)) }, { timeout: '500ms', runtime: { clock } })
  const address = await listening(t, createServer(serve))
  assert.equal(await (await fetch(`http://${address}/`)).text(), 'ENMESH_DEADLINE_EXCEEDED')
  assert.deepEqual(headers.map((fields) => fields['x-envoy-expected-rq-timeout-ms']), ['500', '200'])
  // What the sender waits counts where it is less.
  headers.length = 0
  await (await fetch(`http://${address}/`, { headers: { 'x-envoy-expected-rq-timeout-ms': '100' } })).text()
  assert.deepEqual(headers.map((fields) => fields['x-envoy-expected-rq-timeout-ms']), ['100'])
  for (const timeout of [0, -1, Number.NaN, 'soon', '0s']) {
    assert.throws(() => withPassport(() => {}, { timeout }), /'timeout' of enmesh\/server must be milliseconds above 0, or text such as '500ms'/)
  }
})
