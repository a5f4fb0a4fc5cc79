import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { Agent, interceptors, request, setGlobalDispatcher, type Dispatcher } from 'undici'
import type { MeshError, MeshInput } from '../../src/index.ts'
import { rejection, story } from './support/story.ts'

type Interceptor = Dispatcher.DispatcherComposeInterceptor

/** Answers each path in one way, and `/flaky` with a 500 until it was asked twice. */
const answering = (): RequestListener => {
  let asked = 0
  return (incoming, response) => {
    incoming.resume()
    switch (incoming.url) {
      case '/old': return response.writeHead(302, { location: '/new' }).end()
      case '/zipped': return response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('unzipped'))
      case '/broken': return response.writeHead(500, { 'content-type': 'text/plain' }).end('broken')
      case '/flaky': return response.writeHead(++asked < 3 ? 500 : 200).end('at last')
      default: return response.end(`at ${incoming.url}`)
    }
  }
}

const textOf = async (dispatcher: Dispatcher, url: string): Promise<string> => (await request(url, { dispatcher })).body.text()

interface Case {
  readonly interceptor: () => Interceptor
  readonly shows: (dispatcher: Dispatcher, origin: string) => Promise<void>
}

const cases: Readonly<Record<string, Case>> = {
  redirect: {
    interceptor: () => interceptors.redirect({ maxRedirections: 3 }),
    shows: async (dispatcher, origin) => assert.equal(await textOf(dispatcher, `${origin}/old`), 'at /new'),
  },
  retry: {
    interceptor: () => interceptors.retry({ minTimeout: 1, maxTimeout: 1 }),
    shows: async (dispatcher, origin) => assert.equal(await textOf(dispatcher, `${origin}/flaky`), 'at last'),
  },
  dump: {
    interceptor: () => interceptors.dump({ maxSize: 1024 }),
    shows: async (dispatcher, origin) => assert.equal(await textOf(dispatcher, `${origin}/new`), ''),
  },
  decompress: {
    interceptor: () => interceptors.decompress(),
    shows: async (dispatcher, origin) => assert.equal(await textOf(dispatcher, `${origin}/zipped`), 'unzipped'),
  },
  responseError: {
    interceptor: () => interceptors.responseError(),
    shows: async (dispatcher, origin) => {
      assert.equal((await rejection(request(`${origin}/broken`, { dispatcher })) as { statusCode: number }).statusCode, 500)
    },
  },
}

const orders: Readonly<Record<string, (interceptor: Interceptor) => Interceptor[]>> = {
  'alone': (interceptor) => [interceptor],
  'inside of another': (interceptor) => [interceptor, interceptors.redirect({ maxRedirections: 1 })],
  'around another': (interceptor) => [interceptors.redirect({ maxRedirections: 1 }), interceptor],
}

const svc = (address: string): MeshInput => ({ services: { 'svc.test': [address] } })

for (const [name, { interceptor, shows }] of Object.entries(cases)) {
  for (const [order, list] of Object.entries(orders)) {
    test(`${name} works around the mesh, for services and for other hosts, ${order}`, async (t) => {
      const stage = story(t)
      const server = await stage.upstream(answering())
      const dispatcher = stage.mesh(svc(server.address)).dispatcher.compose(list(interceptor()))
      await shows(dispatcher, 'http://svc.test')
      server.answer = answering()
      await shows(dispatcher, server.url)
    })

    test(`${name} works behind the mesh, for hosts that are no services, ${order}`, async (t) => {
      const stage = story(t)
      const server = await stage.upstream(answering())
      const { dispatcher } = stage.mesh(svc(server.address))
      const agent = new Agent()
      setGlobalDispatcher(agent.compose(list(interceptor())))
      await shows(dispatcher, server.url)
      assert.equal(await textOf(dispatcher, 'http://svc.test/new'), 'at /new')
      await agent.close()
    })
  }
}

test('dns works behind the mesh, and around it for hosts that are no services', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(answering())
  const lookup = (_: unknown, __: unknown, callback: (error: null, records: object[]) => void): void =>
    callback(null, [{ address: '127.0.0.1', family: 4, ttl: 1_000 }])
  const dns = (): Interceptor => interceptors.dns({ lookup } as never)
  const { dispatcher } = stage.mesh(svc(server.address))
  const other = `http://other.test:${server.port}/new`
  assert.equal(await textOf(dispatcher.compose(dns()), other), 'at /new')
  const agent = new Agent()
  setGlobalDispatcher(agent.compose(dns()))
  assert.equal(await textOf(dispatcher, other), 'at /new')
  assert.equal(await textOf(dispatcher, 'http://svc.test/new'), 'at /new')
  await agent.close()

  // It puts an address in place of the name, so the mesh has no service to find.
  const strict = stage.mesh({ ...svc(server.address), egress: 'deny' }).dispatcher.compose(dns())
  assert.equal((await rejection(request('http://svc.test/new', { dispatcher: strict })) as MeshError).code, 'ENMESH_EGRESS_DENIED')
})

test('what is composed of the mesh closes the mesh', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(answering())
  for (const verb of ['close', 'destroy'] as const) {
    const mesh = stage.mesh(svc(server.address))
    const composed = mesh.dispatcher.compose(interceptors.dump()).compose(interceptors.redirect({ maxRedirections: 1 }))
    assert.equal((await request('http://svc.test/old', { dispatcher: composed })).statusCode, 200)
    await composed[verb]()
    assert.ok(mesh.status().closed)
  }
})
