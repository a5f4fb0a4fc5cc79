import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { Metadata, Server, ServerCredentials, status, type sendUnaryData, type ServerUnaryCall, type ServerWritableStream } from '@grpc/grpc-js'
import { request } from 'undici'
import type { Mesh, MeshError, MeshInput } from '../../src/index.ts'
import { http2Upstream } from './support/http2-upstream.ts'
import { frameTypes, rawHttp2 } from './support/raw-http2.ts'
import { gate, next, rejection, standsStill, story, turnsUntil } from './support/story.ts'

type Unary = (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => void
type Streaming = (call: ServerWritableStream<Buffer, Buffer>) => void

const raw = (bytes: Buffer): Buffer => bytes
const method = (name: string, responseStream: boolean) => ({
  path: `/shop.Prices/${name}`, requestStream: false, responseStream,
  requestSerialize: raw, requestDeserialize: raw, responseSerialize: raw, responseDeserialize: raw,
})

interface Prices { readonly get?: Unary, readonly list?: Streaming }

/** A real server of gRPC. */
const prices = async (t: TestContext, { get = (call, answer) => answer(null, call.request), list = (call) => { call.end() } }: Prices): Promise<{ readonly address: string, readonly calls: () => number }> => {
  const server = new Server()
  let calls = 0
  server.addService({ Get: method('Get', false), List: method('List', true) }, {
    Get: ((call, answer) => { calls++; get(call, answer) }) as Unary,
    List: ((call) => { calls++; list(call) }) as Streaming,
  })
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => error ? reject(error) : resolve(bound)))
  t.after(() => server.forceShutdown())
  return { address: `127.0.0.1:${port}`, calls: () => calls }
}

/** A message as gRPC sends it: whether it is compressed, its length, and itself. */
const framed = (text: string): Buffer => {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(Buffer.byteLength(text), 1)
  return Buffer.concat([head, Buffer.from(text)])
}

const messages = (bytes: Buffer): string[] => {
  const found: string[] = []
  for (let at = 0; at < bytes.length;) {
    const end = at + 5 + bytes.readUInt32BE(at + 1)
    found.push(bytes.toString('utf8', at + 5, end))
    at = end
  }
  return found
}

interface Answered { readonly messages: readonly string[], readonly status: string | undefined, readonly attempts: number | undefined }

const headers = { 'content-type': 'application/grpc', 'te': 'trailers' }

const doors: Readonly<Record<string, (mesh: Mesh, method: string, text?: string) => Promise<Answered>>> = {
  'mesh.fetch': async (mesh, method, text = 'apple') => {
    const response = await mesh.fetch(`http://svc.test/shop.Prices/${method}`, { method: 'POST', body: framed(text), headers })
    const bytes = Buffer.from(await response.arrayBuffer())
    return { messages: messages(bytes), status: response.headers.get('grpc-status') ?? undefined, attempts: mesh.trail(response)!.attempts.length }
  },
  'mesh.dispatcher': async (mesh, method, text = 'apple') => {
    const { body, headers: head, trailers } = await request(`http://svc.test/shop.Prices/${method}`, { dispatcher: mesh.dispatcher, method: 'POST', body: framed(text), headers })
    const bytes = Buffer.from(await body.arrayBuffer())
    return { messages: messages(bytes), status: (head['grpc-status'] ?? trailers['grpc-status']) as string | undefined, attempts: undefined }
  },
}
const call = doors['mesh.fetch']!

type Cluster = NonNullable<MeshInput['clusters']>[string]

const over = (endpoints: readonly string[], more: Partial<Cluster> = {}, retry: object | false = { on: ['grpc-unavailable'], methods: 'any', backoff: { max: 1 } }): MeshInput => ({
  services: { 'svc.test': { cluster: 'c', retry: retry as false } },
  clusters: { c: { registry: { type: 'static', endpoints }, http2: true, balancer: { type: 'round-robin' }, ...more } },
})

const unavailable: Unary = (_, answer) => answer({ code: status.UNAVAILABLE, details: 'not now' })

/** With the head on its way first, so that the status comes in trailers. */
const unavailableAfterHead: Unary = (call, answer) => {
  call.sendMetadata(new Metadata())
  setImmediate(() => unavailable(call, answer))
}

for (const [door, ask] of Object.entries(doors)) {
  describe(door, () => {
    test('unary calls are answered by a real server of gRPC, over one connection', async (t) => {
      const server = await prices(t, {})
      const mesh = story(t).mesh(over([server.address]))
      for (const text of ['apple', 'pear', '']) {
        const { messages, status } = await ask(mesh, 'Get', text)
        assert.deepEqual([messages, door === 'mesh.fetch' ? '0' : status], [[text], '0'])
      }
      assert.deepEqual(mesh.status().clusters['c']!.connections.active + mesh.status().clusters['c']!.connections.idle, 1)
    })

    for (const [where, get] of [['the head', unavailable], ['trailers', unavailableAfterHead]] as const) {
      test(`a status in ${where} of an answer without a message is tried again elsewhere`, async (t) => {
        const [bad, good] = [await prices(t, { get }), await prices(t, {})]
        const mesh = story(t).mesh(over([bad.address, good.address]))
        for (let count = 0; count < 6; count++) assert.deepEqual((await ask(mesh, 'Get')).messages, ['apple'])
        assert.deepEqual([bad.calls() > 0, good.calls()], [true, 6])
      })
    }

    test('a status that the policy does not name is the caller\'s', async (t) => {
      const server = await prices(t, { get: (_, answer) => answer({ code: status.NOT_FOUND }) })
      const mesh = story(t).mesh(over([server.address]))
      assert.equal((await ask(mesh, 'Get')).status, '5')
      assert.equal(server.calls(), 1)
    })

    test('a call that fails after a message is not tried again', async (t) => {
      const server = await prices(t, {
        list: (call) => { call.write(Buffer.from('first'), () => setImmediate(() => call.emit('error', { code: status.UNAVAILABLE }))) },
      })
      const mesh = story(t).mesh(over([server.address]))
      const { messages, status: said } = await ask(mesh, 'List')
      assert.deepEqual([messages, door === 'mesh.fetch' ? '14' : said, server.calls()], [['first'], '14', 1])
    })
  })
}

describe('over HTTP/1.1', () => {
  test('a status in trailers of an answer without a message is tried again, and one after a message is not', async (t) => {
    const { upstream, mesh: make } = story(t)
    const server = await upstream((incoming, response) => {
      incoming.resume()
      response.writeHead(200, { 'content-type': 'application/grpc+proto', 'trailer': 'grpc-status' })
      response.flushHeaders()
      const failing = server.requests.length === 1 || incoming.url!.endsWith('List')
      if (!failing || incoming.url!.endsWith('List')) response.write(framed('apple'))
      setImmediate(() => {
        response.addTrailers({ 'grpc-status': failing ? '14' : '0' })
        response.end()
      })
    })
    const mesh = make(over([server.address], { http2: false }))
    assert.deepEqual(await call(mesh, 'Get'), { messages: ['apple'], status: undefined, attempts: 2 })
    assert.deepEqual(await call(mesh, 'List'), { messages: ['apple'], status: undefined, attempts: 1 })
  })
})

describe('the head of an answer', () => {
  const late = async (t: TestContext): Promise<{ readonly address: string, readonly end: () => void }> => {
    const { opened, open } = gate()
    const upstream = await http2Upstream(t, (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      void opened.then(() => stream.end())
    })
    return { address: upstream.address, end: open }
  }

  test('is not kept where no retry goes by the status of gRPC', async (t) => {
    const { address, end } = await late(t)
    const mesh = story(t).mesh(over([address], {}, { on: [503] }))
    const response = await mesh.fetch('http://svc.test/', { method: 'POST', body: '' })
    end()
    assert.equal(await response.text(), '')
  })

  test('is kept until it is certain that there is no message', async (t) => {
    const { address, end } = await late(t)
    const mesh = story(t).mesh(over([address]))
    let answered = false
    const response = mesh.fetch('http://svc.test/', { method: 'POST', body: '' }).finally(() => { answered = true })
    await turnsUntil(() => mesh.status().clusters['c']!.connections.streams === 1, 'it was sent')
    await standsStill(() => mesh.status().clusters['c']!.connections.streams)
    assert.equal(answered, false)
    end()
    assert.equal(await (await response).text(), '')
  })

  test('that is kept when its stream is reset was no answer: the call is tried again', async (t) => {
    let streams = 0
    const upstream = await rawHttp2(t, (connection, { type, stream }) => {
      if (type !== frameTypes.headers) return
      connection.head(stream, { 'content-type': 'application/grpc' })
      if (++streams === 1) return connection.reset(stream, 2)
      connection.data(stream, framed('apple').toString('latin1'))
      connection.trailers(stream, { 'grpc-status': '0' })
    })
    const mesh = story(t).mesh(over([upstream.address], {}, { on: ['grpc-unavailable', 'reset'], methods: 'any', backoff: { max: 1 } }))
    assert.deepEqual(await call(mesh, 'Get'), { messages: ['apple'], status: undefined, attempts: 2 })
  })

  test('that is kept past the deadline is the endpoint\'s failure, and the caller hears of the deadline', async (t) => {
    const { address, end } = await late(t)
    const mesh = story(t).mesh({ ...over([address]) })
    const error = await rejection(mesh.fetch('http://svc.test/', { method: 'POST', body: '', mesh: { timeout: 30 } })) as MeshError
    end()
    assert.equal(error.code, 'ENMESH_DEADLINE_EXCEEDED')
    assert.equal(mesh.status().clusters['c']!.endpoints[0]!.failures, 1)
  })
})

describe('a cluster that is judged by the status of gRPC', () => {
  for (const [where, fail] of [
    ['the head', (code: number): Unary => (_, answer) => answer({ code })],
    ['trailers', (code: number): Unary => (call, answer) => { call.sendMetadata(new Metadata()); setImmediate(() => answer({ code })) }],
  ] as const) {
    test(`takes an endpoint out that fails so in ${where}`, async (t) => {
      const [bad, good] = [await prices(t, { get: fail(status.INTERNAL) }), await prices(t, {})]
      const mesh = story(t).mesh(over([bad.address, good.address], { grpc: true, outlier: { failures: 3 } }, false))
      const ejected = next(mesh, 'endpoint-ejected')
      for (let count = 0; count < 6; count++) await call(mesh, 'Get')
      const { endpoint, reason } = await ejected
      assert.deepEqual([endpoint, reason], [bad.address, '3 failures in a row, the last with gRPC status 13'])
      assert.equal(mesh.status().clusters['c']!.endpoints[0]!.failures, 3)
    })

    test(`opens its breaker by what it finds in ${where}`, async (t) => {
      const server = await prices(t, { get: fail(status.UNAVAILABLE) })
      const mesh = story(t).mesh(over([server.address], { grpc: true, breaker: { calls: 5 } }, false))
      for (let count = 0; count < 5; count++) await call(mesh, 'Get')
      assert.equal((await rejection(call(mesh, 'Get')) as MeshError).code, 'ENMESH_CIRCUIT_OPEN')
    })
  }

  test('holds nothing against an endpoint for what the caller asked', async (t) => {
    const server = await prices(t, { get: (_, answer) => answer({ code: status.NOT_FOUND }) })
    const mesh = story(t).mesh(over([server.address], { grpc: true, breaker: { calls: 5 } }, false))
    for (let count = 0; count < 10; count++) assert.equal((await call(mesh, 'Get')).status, '5')
    assert.equal(mesh.status().clusters['c']!.endpoints[0]!.failures, 0)
  })

  test('and without `grpc` no status of gRPC says anything of an endpoint', async (t) => {
    const server = await prices(t, { get: (_, answer) => answer({ code: status.INTERNAL }) })
    const mesh = story(t).mesh(over([server.address], { breaker: { calls: 5 } }, false))
    for (let count = 0; count < 10; count++) assert.equal((await call(mesh, 'Get')).status, '13')
    assert.equal(mesh.status().clusters['c']!.endpoints[0]!.failures, 0)
  })
})
