import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { fetch as undiciFetch, getGlobalDispatcher, interceptors, MockAgent, request, setGlobalDispatcher, stream, type Dispatcher } from 'undici'
import type { MeshError, MeshInput } from '../../src/index.ts'
import { rejection, story } from './support/story.ts'
import { bodyOf, hangs, says } from './support/upstream.ts'

const svc = (address: string, rest: object = {}): MeshInput => ({
  services: { 'svc.test': { cluster: 'c', retry: { backoff: { max: 1 } } } },
  clusters: { c: { registry: { type: 'static', endpoints: [address] } } },
  ...rest,
})

/** A mock network in which only `mock.test` exists. */
const mocked = (): MockAgent => {
  const agent = new MockAgent()
  agent.disableNetConnect()
  agent.get('http://mock.test').intercept({ path: '/' }).reply(200, 'mocked').persist()
  return agent
}

const run = promisify(execFile)

test('undici.request goes through the mesh', async (t) => {
  const stage = story(t)
  const server = await stage.upstream((incoming, response) => {
    void bodyOf(incoming).then((body) => response.end(`${incoming.method} ${incoming.url} ${incoming.headers['x-a']} ${body.toString()}`))
  })
  const { dispatcher } = stage.mesh(svc(server.address))
  const { statusCode, body } = await request('http://svc.test/a', {
    dispatcher, method: 'POST', body: 'text', headers: { 'x-a': 'b' }, query: { q: 'r' },
  })
  assert.equal(statusCode, 200)
  assert.equal(await body.text(), 'POST /a?q=r b text')
})

test('undici.request aborts with its reason', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(hangs)
  const { dispatcher } = stage.mesh(svc(server.address))
  const controller = new AbortController()
  const answer = request('http://svc.test/', { dispatcher, signal: controller.signal })
  await server.arrived(1)
  const reason = new Error('enough')
  controller.abort(reason)
  assert.equal(await rejection(answer), reason)
  await server.deserted()
})

test('undici.stream writes where it is told', async (t) => {
  const stage = story(t)
  const server = await stage.upstream((_, response) => { response.end(Buffer.alloc(2 * 1024 * 1024, 'x')) })
  const { dispatcher } = stage.mesh(svc(server.address))
  let bytes = 0
  const sink = (): Writable => new Writable({
    write: (chunk: Buffer, _, done) => {
      bytes += chunk.length
      setImmediate(done)
    },
  })
  await stream('http://svc.test/', { dispatcher, method: 'GET' }, sink)
  assert.equal(bytes, 2 * 1024 * 1024)
})

test('a body of undici.request that is dumped frees its socket', async (t) => {
  const stage = story(t)
  const server = await stage.upstream((_, response) => { response.end(Buffer.alloc(1024, 'x')) })
  const { dispatcher } = stage.mesh(svc(server.address))
  for (let i = 0; i < 10; i++) await (await request('http://svc.test/', { dispatcher })).body.dump()
  assert.ok(server.accepted <= 2, `${server.accepted} sockets`)
})

test('interceptors compose over the mesh, in their order', async (t) => {
  const stage = story(t)
  const server = await stage.upstream((incoming, response) => {
    incoming.resume()
    if (incoming.url === '/old') response.writeHead(302, { location: '/new' }).end()
    else response.end(`${incoming.url} ${String(incoming.headers['x-by'])}`)
  })
  const signed: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) =>
    dispatch({ ...options, headers: { 'x-by': 'interceptor' } }, handler)
  const composed = stage.mesh(svc(server.address)).dispatcher.compose([signed, interceptors.redirect({ maxRedirections: 2 })])
  const { body } = await request('http://svc.test/old', { dispatcher: composed })
  assert.equal(await body.text(), '/new interceptor')
})

test("both fetches, the platform's and undici's, take it as their dispatcher", async (t) => {
  const stage = story(t)
  const server = await stage.upstream((incoming, response) => {
    void bodyOf(incoming).then((body) => response.end(`got ${body.toString()}`))
  })
  const { dispatcher } = stage.mesh(svc(server.address))
  const own = await fetch('http://svc.test/', { dispatcher, method: 'POST', body: 'a' } as unknown as RequestInit)
  assert.equal(await own.text(), 'got a')
  const other = await undiciFetch('http://svc.test/', { dispatcher, method: 'POST', body: 'b' })
  assert.equal(await other.text(), 'got b')
})

test("both fetches give the mesh's error as their cause", async (t) => {
  const { dispatcher } = story(t).mesh({ egress: 'deny' })
  for (const failed of [fetch('http://svc.test/', { dispatcher } as unknown as RequestInit), undiciFetch('http://svc.test/', { dispatcher })]) {
    const { message, cause } = await rejection(failed) as Error
    assert.equal(message, 'fetch failed')
    assert.equal((cause as MeshError).code, 'ENMESH_EGRESS_DENIED')
  }
})

test('a host that is no service goes to the dispatcher that was there, a mock for one', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('real'))
  const mesh = stage.mesh(svc(server.address))
  const agent = mocked()
  setGlobalDispatcher(agent)
  assert.equal(await (await request('http://mock.test/', { dispatcher: mesh.dispatcher })).body.text(), 'mocked')
  assert.equal(await (await mesh.fetch('http://mock.test/')).text(), 'mocked')
  assert.match(String((await rejection(mesh.fetch(server.url)) as Error).cause), /net\.connect disabled|Mock/)
  assert.equal(await (await mesh.fetch('http://svc.test/')).text(), 'real')
  await agent.close()
})

test('as the global dispatcher it keeps the one that was there for hosts that are no services', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('real'))
  const agent = mocked()
  setGlobalDispatcher(agent)
  const mesh = stage.mesh(svc(server.address))
  setGlobalDispatcher(mesh.dispatcher)
  for (const send of [fetch, mesh.fetch, undiciFetch] as (typeof fetch)[]) {
    assert.equal(await (await send('http://svc.test/')).text(), 'real')
    assert.equal(await (await send('http://mock.test/')).text(), 'mocked')
  }
  assert.equal(await (await request('http://mock.test/')).body.text(), 'mocked')
  await agent.close()
})

test('as the global dispatcher it makes no circle, composed or alone, one mesh or two', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('real'))
  const [one, two] = [stage.mesh(svc(server.address)), stage.mesh(svc(server.address))]
  const through: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => dispatch(options, handler)
  for (const dispatcher of [one.dispatcher, one.dispatcher.compose(through), two.dispatcher]) {
    setGlobalDispatcher(dispatcher)
    assert.equal(getGlobalDispatcher(), dispatcher)
    for (const send of [fetch, one.fetch, two.fetch, undiciFetch] as (typeof fetch)[]) {
      assert.equal(await (await send(server.url)).text(), 'real')
      assert.equal(await (await send('http://svc.test/')).text(), 'real')
    }
    for (const { dispatcher } of [one, two]) assert.equal(await (await request(server.url, { dispatcher })).body.text(), 'real')
  }
})

test('a closed mesh that is still the global dispatcher says that it is closed, to services and to other hosts', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('real'))
  const mesh = stage.mesh(svc(server.address))
  setGlobalDispatcher(mesh.dispatcher)
  await mesh.close()
  for (const url of ['http://svc.test/', server.url]) {
    for (const failed of [fetch(url), undiciFetch(url)]) assert.equal(((await rejection(failed) as Error).cause as MeshError).code, 'ENMESH_CLOSED')
    const error = await rejection(request(url)) as MeshError
    assert.equal(error.code, 'ENMESH_CLOSED')
    assert.match(error.message, /this mesh is closed and sends nothing more/)
  }
})

test('a closed mesh is in no other mesh\'s way, made before it was closed or after', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('real'))
  const old = stage.mesh({ services: { 'old.test': [server.address] }, egress: 'deny' })
  setGlobalDispatcher(old.dispatcher)
  const before = stage.mesh(svc(server.address))
  await old.close()
  const after = stage.mesh(svc(server.address))
  for (const { dispatcher } of [before, after]) {
    assert.equal(await (await request(server.url, { dispatcher })).body.text(), 'real')
    setGlobalDispatcher(dispatcher)
    for (const send of [fetch, undiciFetch] as (typeof fetch)[]) {
      assert.equal(await (await send(server.url)).text(), 'real')
      assert.equal(await (await send('http://svc.test/')).text(), 'real')
    }
    setGlobalDispatcher(old.dispatcher)
  }
})

test('a WebSocket or an EventSource over the mesh has the limits that it has over undici', async (t) => {
  const { dispatcher } = story(t).mesh(svc('127.0.0.1:1'))
  const limits = (of: object): unknown[] => {
    const { webSocketOptions, eventSourceOptions } = of as Record<string, unknown>
    return [webSocketOptions, eventSourceOptions]
  }
  const own = limits(getGlobalDispatcher())
  assert.ok((own[0] as { maxPayloadSize: number }).maxPayloadSize > 0)
  assert.deepEqual([limits(dispatcher), limits(dispatcher.compose(interceptors.dump()))], [own, own])
})

test('an option of undici 6 that nobody would follow is refused', async (t) => {
  const { dispatcher } = story(t).mesh(svc('127.0.0.1:1'))
  const options = { origin: 'http://svc.test', path: '/', method: 'GET', maxRedirections: 3 } as const
  assert.match(String(await rejection(dispatcher.request(options))), /'maxRedirections' is an option of undici 6/)
})

test('set as the global dispatcher it carries every fetch of a process, and the process ends by itself', async (t) => {
  const server = await story(t).upstream(says('real'))
  const program = `
    import { request, setGlobalDispatcher } from 'undici'
    import { createMesh } from ${JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)}
    const mesh = createMesh(${JSON.stringify(svc(server.address))})
    setGlobalDispatcher(mesh.dispatcher)
    const answers = [
      await (await fetch('http://svc.test/')).text(),
      await (await (await request('http://svc.test/')).body).text(),
      await (await fetch(${JSON.stringify(server.url)})).text(),
    ]
    await mesh.close()
    const failed = await fetch('http://svc.test/').catch(({ message, cause }) => [message, cause.code])
    console.log(JSON.stringify([...answers, ...failed]))
  `
  const directory = new URL('.', import.meta.url)
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], { cwd: directory, timeout: 20_000 })
  assert.deepEqual(JSON.parse(stdout), ['real', 'real', 'real', 'fetch failed', 'ENMESH_CLOSED'])
})

test('importing the mesh leaves fetch and the global dispatcher alone', async () => {
  const program = `
    const globals = () => Reflect.ownKeys(globalThis).map(String).filter((name) => /undici|enmesh/.test(name)).concat([globalThis.fetch])
    const before = globals()
    const { createMesh } = await import(${JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)})
    await createMesh({ services: { 'svc.test': ['127.0.0.1:1'] } }).close()
    const after = globals()
    console.log(after.length === before.length && after.every((one, index) => one === before[index]))
  `
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], { timeout: 20_000 })
  assert.equal(stdout.trim(), 'true')
})

for (const verb of ['close', 'destroy'] as const) {
  test(`dispatcher.${verb}() closes the mesh, by promise and by callback`, async (t) => {
    const stage = story(t)
    const server = await stage.upstream(says('real'))
    const [one, two] = [stage.mesh(svc(server.address)), stage.mesh(svc(server.address))]
    for (const mesh of [one, two]) await (await mesh.fetch('http://svc.test/')).text()
    await one.dispatcher[verb]()
    await new Promise<void>((resolve) => { two.dispatcher[verb](resolve) })
    await server.deserted()
    for (const { dispatcher, status } of [{ dispatcher: one.dispatcher, status: one.status() }, { dispatcher: two.dispatcher, status: two.status() }]) {
      assert.ok(status.closed)
      const error = await rejection(request('http://svc.test/', { dispatcher }))
      assert.equal((error as MeshError).code, 'ENMESH_CLOSED')
    }
  })
}

test('close() lets what is under way end first', async (t) => {
  const stage = story(t)
  let finish = (): void => {}
  const server = await stage.upstream((_, response) => {
    response.write('first ')
    finish = () => { response.end('last') }
  })
  const mesh = stage.mesh(svc(server.address))
  const response = await mesh.fetch('http://svc.test/')
  const closed = mesh.close()
  assert.equal((await rejection(mesh.fetch('http://svc.test/')) as MeshError).code, 'ENMESH_CLOSED')
  finish()
  assert.equal(await response.text(), 'first last')
  await closed
  assert.equal(server.requests.length, 1)
})
