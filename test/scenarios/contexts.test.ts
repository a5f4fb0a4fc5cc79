import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { test, type TestContext } from 'node:test'
import { interceptors, request, type Dispatcher } from 'undici'
import { createMesh } from '../../src/index.ts'
import { Upstream } from './support/upstream.ts'

/*
 * A socket is shared by requests one after the other, and what it brings is told in the context of whoever opened it. Code of a caller's
 * that the mesh runs must find its own caller's context all the same.
 */

const who = new AsyncLocalStorage<string>()
const callers = ['alice', 'bob', 'carol']

/** A mesh with one socket to one server, so that every request waits for the one before it. */
const overOneSocket = async (t: TestContext, answer: ConstructorParameters<typeof Upstream>[0]) => {
  const server = await new Upstream(answer).start()
  const mesh = createMesh({
    services: { 'svc.test': { cluster: 'c' } },
    clusters: { c: { registry: { type: 'static', endpoints: [server.address] }, connections: 1 } },
  })
  t.after(async () => {
    await mesh.close()
    await server.kill()
  })
  return { server, mesh }
}

const echo: ConstructorParameters<typeof Upstream>[0] = (request, response) => { request.pipe(response) }

test('the source of a streamed body runs for its own caller, also when another request ended before it', async (t) => {
  const { mesh } = await overOneSocket(t, echo)
  const upload = async (name: string): Promise<string> => who.run(name, async () => {
    async function* body() {
      for (let part = 0; part < 3; part++) {
        await Promise.resolve()
        yield Buffer.from(`${who.getStore()} `)
      }
    }
    const { body: answer } = await request('http://svc.test/', { method: 'POST', body: body() as never, dispatcher: mesh.dispatcher })
    return answer.text()
  })
  const answers = await Promise.all(callers.map(upload))
  assert.deepEqual(answers, callers.map((name) => `${name} ${name} ${name} `))
})

test('a stream given to mesh.fetch is pulled for its own caller', async (t) => {
  const { mesh } = await overOneSocket(t, echo)
  const answers = await Promise.all(callers.map((name) => who.run(name, async () => {
    let left = 3
    const body = new ReadableStream({
      pull: (controller) => {
        if (left-- > 0) controller.enqueue(Buffer.from(`${who.getStore()} `))
        else controller.close()
      },
    }, { highWaterMark: 0 })
    return (await mesh.fetch('http://svc.test/', { method: 'POST', body, duplex: 'half' } as RequestInit)).text()
  })))
  assert.deepEqual(answers, callers.map((name) => `${name} ${name} ${name} `))
})

test('what an interceptor around the dispatcher sends next, it sends for the caller of the first request', async (t) => {
  const { server, mesh } = await overOneSocket(t, ({ url }, response) => {
    if (url === '/final') response.end('there')
    else response.writeHead(302, { location: '/final' }).end()
  })
  const seen: string[] = []
  const noting = createNoting(seen)
  const dispatcher = mesh.dispatcher.compose(noting, interceptors.redirect({ maxRedirections: 2 }))
  await Promise.all(callers.map((name) => who.run(name, async () => {
    const { body } = await request('http://svc.test/first', { dispatcher })
    assert.equal(await body.text(), 'there')
  })))
  assert.equal(server.requests.length, 6)
  assert.deepEqual(seen.filter((line) => line.endsWith('/final')).sort(), callers.map((name) => `${name} /final`))
})

/** An interceptor that notes for whom each request is dispatched. */
const createNoting = (seen: string[]): Dispatcher.DispatcherComposeInterceptor => (dispatch) => (options, handler) => {
  seen.push(`${who.getStore()} ${options.path}`)
  return dispatch(options, handler)
}

test('a listener that throws at the end of an attempt or a call keeps nobody else from hearing, and its error surfaces', async (t) => {
  const { server } = await overOneSocket(t, echo)
  const mesh = createMesh({ services: { 'svc.test': [server.address] } }, {
    layers: {
      call: [(next) => (call) => { call.onEnd(() => { throw new Error('call listener') }); return next(call) }],
      attempt: [(next) => (attempt) => { attempt.onEnd(() => { throw new Error('attempt listener') }); return next(attempt) }],
    },
  })
  const surfaced: string[] = []
  const heard = new Promise<void>((resolve) => {
    process.setUncaughtExceptionCaptureCallback((error) => { if (surfaced.push(error.message) === 2) resolve() })
  })
  try {
    const response = await mesh.fetch('http://svc.test/', { method: 'POST', body: 'whole' })
    assert.equal(await response.text(), 'whole')
    await heard
    assert.deepEqual(surfaced.sort(), ['attempt listener', 'call listener'])
    const { calls, clusters } = mesh.status()
    assert.deepEqual([calls, clusters['svc.test']?.active, clusters['svc.test']?.pending], [0, 0, 0])
  } finally {
    process.setUncaughtExceptionCaptureCallback(null)
    await mesh.close()
  }
})

