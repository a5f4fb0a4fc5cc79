import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { connect, request, upgrade } from 'undici'
import type { Mesh, MeshInput } from '../../src/index.ts'
import { authority } from '../support/authority.ts'
import { Held, http2Upstream, says, type OnStream } from './support/http2-upstream.ts'
import { frameTypes, rawHttp2 } from './support/raw-http2.ts'
import { gate, rejection, story, turnsUntil } from './support/story.ts'

const made = authority()
const skip = made === undefined && 'there is no openssl to make certificates with'

type Cluster = NonNullable<MeshInput['clusters']>[string]

const url = 'http://svc.test/things'

const over = (address: string | readonly string[], more: Partial<Cluster> = {}, route: object = {}): MeshInput => ({
  services: { 'svc.test': { cluster: 'c', retry: { backoff: { max: 1 } }, ...route } },
  clusters: { c: { registry: { type: 'static', endpoints: [address].flat() }, http2: true, ...more } },
})

const doors: Readonly<Record<string, (mesh: Mesh, init?: RequestInit) => Promise<string>>> = {
  'mesh.fetch': async (mesh, init) => (await mesh.fetch(url, init)).text(),
  'mesh.dispatcher': async (mesh, init = {}) =>
    (await request(url, { dispatcher: mesh.dispatcher, method: (init.method ?? 'GET') as 'GET', body: init.body as string ?? null })).body.text(),
}

const bodyOf = async (stream: Parameters<OnStream>[0]): Promise<Buffer> => {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const echo: OnStream = (stream, headers) => {
  void bodyOf(stream).then((body) => {
    stream.respond({ ':status': 200, 'content-type': 'application/json' })
    stream.end(JSON.stringify({ headers, body: String(body) }))
  }, () => {})
}

describe('requests and answers', () => {
  for (const [door, ask] of Object.entries(doors)) {
    test(`${door}: requests share one connection, in plain text from the first byte on`, async (t) => {
      const upstream = await http2Upstream(t, says('two'))
      const mesh = story(t).mesh(over(upstream.address))
      assert.deepEqual(await Promise.all(Array.from({ length: 20 }, () => ask(mesh))), Array.from({ length: 20 }, () => 'two'))
      assert.deepEqual([upstream.sessions.length, upstream.heads.length], [1, 20])
      assert.deepEqual([upstream.heads[0]![':authority'], upstream.heads[0]![':scheme'], upstream.heads[0]![':path']], ['svc.test', 'http', '/things'])
    })

    test(`${door}: over TLS it is chosen by ALPN, and certificates are verified`, { skip }, async (t) => {
      const upstream = await http2Upstream(t, says('two'), { tls: { ...made!.server } })
      const { mesh } = story(t)
      assert.equal(await ask(mesh(over(upstream.address, { tls: { ca: made!.root } }))), 'two')
      assert.equal(upstream.sessions[0]!.alpnProtocol, 'h2')
      assert.equal(upstream.heads[0]![':scheme'], 'https')
      const error = await rejection(ask(mesh(over(upstream.address, { tls: { ca: made!.otherRoot } })))) as { code: string }
      assert.equal(error.code, 'ENMESH_TLS')
    })

    test(`${door}: a body arrives with its length, and an empty one of a POST says so`, async (t) => {
      const upstream = await http2Upstream(t, echo)
      const mesh = story(t).mesh(over(upstream.address))
      const { body, headers } = JSON.parse(await ask(mesh, { method: 'POST', body: 'hällo' })) as { body: string, headers: Record<string, string> }
      assert.deepEqual([body, headers['content-length']], ['hällo', '6'])
      assert.equal((JSON.parse(await ask(mesh, { method: 'POST' })) as { headers: Record<string, string> }).headers['content-length'], '0')
      assert.equal((JSON.parse(await ask(mesh)) as { headers: Record<string, string> }).headers['content-length'], undefined)
    })
  }

  test('trailers, early hints and fields that come twice reach a handler as over HTTP/1.1', async (t) => {
    const upstream = await http2Upstream(t, (stream) => {
      stream.additionalHeaders({ ':status': 103, 'link': '</a.css>' })
      stream.respond({ ':status': 200, 'set-cookie': ['a=1', 'b=2'], '__proto__x': 'y' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '42' }))
      stream.end('ok')
    })
    const mesh = story(t).mesh(over(upstream.address))
    const heard: unknown[] = []
    await new Promise<void>((resolve, reject) => {
      mesh.dispatcher.dispatch({ origin: 'http://svc.test', path: '/', method: 'GET' }, {
        onRequestStart: () => {},
        onResponseStart: (controller, status, headers) => { heard.push(status, headers['link'] ?? headers['set-cookie'], (controller.rawHeaders as string[])[0]) },
        onResponseData: (_, chunk) => { heard.push(String(chunk)) },
        onResponseEnd: (_, trailers) => { heard.push(trailers); resolve() },
        onResponseError: (_, error) => reject(error),
      })
    })
    assert.deepEqual(heard, [103, '</a.css>', 'link', 200, ['a=1', 'b=2'], 'set-cookie', 'ok', { 'x-sum': '42' }])
  })

  test('answers without a body end at once: to HEAD, 204 and 304', async (t) => {
    const upstream = await http2Upstream(t, (stream, headers) => {
      stream.respond({ ':status': Number(String(headers[':path']).slice(1)), 'content-length': headers[':method'] === 'HEAD' ? '1000' : undefined }, { endStream: true })
    })
    const mesh = story(t).mesh(over(upstream.address))
    for (const [method, status] of [['HEAD', 200], ['GET', 204], ['GET', 304]] as const) {
      const response = await mesh.fetch(`http://svc.test/${status}`, { method })
      assert.deepEqual([response.status, await response.text()], [status, ''])
    }
    assert.equal(upstream.sessions.length, 1)
  })

  test('fields of a connection are left out, `host` becomes `:authority`, and cookies arrive whole', async (t) => {
    const upstream = await http2Upstream(t, echo)
    const mesh = story(t).mesh(over(upstream.address))
    const { body } = await request(url, {
      dispatcher: mesh.dispatcher,
      headers: ['Host', 'ignored', 'Connection', 'x-hop', 'X-Hop', '1', 'Keep-Alive', 'timeout=5', 'TE', 'gzip, trailers', 'cookie', 'a=1', 'cookie', 'b=2', 'X-Twice', '1', 'x-twice', '2'],
    })
    const { headers } = await body.json() as { headers: Record<string, string> }
    assert.deepEqual([headers[':authority'], headers['cookie'], headers['x-twice']], ['svc.test', 'a=1; b=2', '1, 2'])
    for (const name of ['host', 'connection', 'keep-alive', 'te']) assert.equal(headers[name], undefined, name)
  })

  test('`te: trailers` is sent on', async (t) => {
    const upstream = await http2Upstream(t, echo)
    const mesh = story(t).mesh(over(upstream.address))
    const { body } = await request(url, { dispatcher: mesh.dispatcher, headers: { te: 'trailers' } })
    assert.equal((await body.json() as { headers: Record<string, string> }).headers['te'], 'trailers')
  })

  test('a field that would forge another is refused, and says nothing of the endpoint', async (t) => {
    const upstream = await http2Upstream(t, says('two'))
    const mesh = story(t).mesh(over(upstream.address))
    for (const headers of [{ 'x-a': 'b\r\nx-c: d' }, { 'x\na': 'b' }, { 'content-length': '1x' }, { ':path': '/other' }]) {
      const error = await rejection(request(url, { dispatcher: mesh.dispatcher, headers })) as { code: string }
      assert.equal(error.code, 'UND_ERR_INVALID_ARG', JSON.stringify(headers))
    }
    assert.deepEqual([upstream.heads.length, mesh.status().clusters['c']!.endpoints[0]!.failures], [0, 0])
  })

  test('an upgrade and a CONNECT are refused with the reason, at once', async (t) => {
    const upstream = await http2Upstream(t, says('two'))
    const mesh = story(t).mesh(over(upstream.address))
    for (const asked of [upgrade('http://svc.test/', { dispatcher: mesh.dispatcher, protocol: 'websocket' }), connect('http://svc.test/svc.test:80', { dispatcher: mesh.dispatcher })]) {
      const error = await rejection(asked) as Error
      assert.match(error.message, /cluster 'c' speaks HTTP\/2, over which nothing is upgraded/)
    }
    assert.equal(mesh.status().clusters['c']!.endpoints[0]!.failures, 0)
  })
})

describe('bodies', () => {
  const large = Buffer.alloc(3 * 1024 * 1024, 'x')

  test('large ones arrive whole both ways', async (t) => {
    const upstream = await http2Upstream(t, (stream) => {
      void bodyOf(stream).then((body) => { stream.respond({ ':status': 200 }); stream.end(body) })
    })
    const mesh = story(t).mesh(over(upstream.address))
    const source = async function* (): AsyncGenerator<Buffer> { for (let at = 0; at < large.length; at += 65_536) yield large.subarray(at, at + 65_536) }
    const { body } = await request(url, { dispatcher: mesh.dispatcher, method: 'POST', body: source() as never })
    assert.ok(Buffer.from(await body.arrayBuffer()).equals(large))
  })

  test('a reader who stands still holds up the endpoint, and nobody else on the connection', async (t) => {
    let written = 0
    const upstream = await http2Upstream(t, (stream, headers) => {
      if (headers[':path'] === '/short') return says('short')(stream, headers)
      stream.respond({ ':status': 200 })
      const write = (): void => {
        while (!stream.destroyed && written < 64 * 1024 * 1024) {
          written += 65_536
          if (!stream.write(Buffer.alloc(65_536))) return void stream.once('drain', write)
        }
        stream.end()
      }
      write()
    })
    const mesh = story(t).mesh(over(upstream.address, { connections: 1 }))
    const response = await mesh.fetch('http://svc.test/endless')
    for (let count = 0; count < 50; count++) assert.equal(await (await mesh.fetch('http://svc.test/short')).text(), 'short')
    assert.ok(written < 4 * 1024 * 1024, `${written} bytes were written for somebody who reads none`)
    await response.body!.cancel()
    await upstream.until(() => upstream.streams === 0)
    assert.equal(upstream.sessions.length, 1)
  })

  test('an endpoint that reads nothing holds up the source of the body', async (t) => {
    const { opened, open } = gate()
    const upstream = await http2Upstream(t, (stream) => {
      stream.pause()
      void opened.then(async () => { const { length } = await bodyOf(stream); says(String(length))(stream, {}) })
    })
    const mesh = story(t).mesh(over(upstream.address))
    let read = 0
    const source = async function* (): AsyncGenerator<Buffer> { while (read++ < 1024) yield Buffer.alloc(16_384) }
    const answer = request(url, { dispatcher: mesh.dispatcher, method: 'POST', body: source() as never })
    await upstream.arrived(1)
    let before = -1
    await turnsUntil(() => { const still = before === read && read > 0; before = read; return still }, 'the source stands still')
    assert.ok(read < 128, `${read} parts were read for an endpoint that takes none`)
    open()
    assert.equal(await (await answer).body.text(), String(1024 * 16_384))
  })

  test('an answer that comes before the body was sent is an answer, and the source is let go', async (t) => {
    const upstream = await http2Upstream(t, (stream) => { stream.respond({ ':status': 413 }); stream.end('too much') })
    const mesh = story(t).mesh(over(upstream.address))
    let let_go = false
    const source = async function* (): AsyncGenerator<Buffer> {
      try { for (;;) yield Buffer.alloc(65_536) } finally { let_go = true }
    }
    const { statusCode, body } = await request(url, { dispatcher: mesh.dispatcher, method: 'POST', body: source() as never })
    assert.deepEqual([statusCode, await body.text()], [413, 'too much'])
    await turnsUntil(() => let_go, 'the source is let go')
    assert.equal(await doors['mesh.fetch']!(mesh), 'too much')
    assert.equal(upstream.sessions.length, 1)
  })

  test('a source that fails resets its stream and no other, and blames nobody', async (t) => {
    const held = new Held()
    const upstream = await http2Upstream(t, held.hold)
    const mesh = story(t).mesh(over(upstream.address))
    const other = doors['mesh.fetch']!(mesh)
    await upstream.arrived(1)
    const source = async function* (): AsyncGenerator<string> { yield 'half'; throw new Error('the file is gone') }
    const error = await rejection(request(url, { dispatcher: mesh.dispatcher, method: 'POST', body: source() as never })) as Error
    assert.equal(error.message, 'the file is gone')
    held.release()
    assert.equal(await other, 'ok')
    assert.deepEqual([upstream.sessions.length, mesh.status().clusters['c']!.endpoints[0]!.failures], [1, 0])
  })

  test('a body of another length than it was said is the caller\'s fault', async (t) => {
    const upstream = await http2Upstream(t, echo)
    const mesh = story(t).mesh(over(upstream.address))
    const source = async function* (): AsyncGenerator<string> { yield 'abc' }
    for (const [length, body] of [['2', source()], ['4', source()], ['4', 'abc']] as const) {
      const error = await rejection(request(url, { dispatcher: mesh.dispatcher, method: 'POST', body: body as never, headers: { 'content-length': length } })) as { code: string }
      assert.equal(error.code, 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH')
    }
  })

  test('a form and a blob arrive with their types', async (t) => {
    const upstream = await http2Upstream(t, echo)
    const mesh = story(t).mesh(over(upstream.address))
    const form = new FormData()
    form.append('name', 'value')
    for (const [body, type] of [[form, /^multipart\/form-data; boundary=/], [new Blob(['blob'], { type: 'text/x-blob' }), /^text\/x-blob$/]] as const) {
      const { headers, body: arrived } = await (await mesh.fetch(url, { method: 'POST', body })).json() as { headers: Record<string, string>, body: string }
      assert.match(headers['content-type']!, type)
      assert.match(arrived, body === form ? /name="name"\r\n\r\nvalue/ : /^blob$/)
    }
  })
})

describe('aborts and resets', () => {
  test('an abort resets its stream and no other', async (t) => {
    const held = new Held()
    const upstream = await http2Upstream(t, held.hold)
    const mesh = story(t).mesh(over(upstream.address))
    const controller = new AbortController()
    const [given, kept] = [doors['mesh.fetch']!(mesh, { signal: controller.signal }), doors['mesh.fetch']!(mesh)]
    await upstream.arrived(2)
    controller.abort()
    assert.equal((await rejection(given) as Error).name, 'AbortError')
    await upstream.until(() => upstream.streams === 1)
    held.release()
    assert.equal(await kept, 'ok')
    assert.equal(upstream.sessions.length, 1)
  })

  test('a stream that the endpoint resets is ENMESH_CONNECTION_RESET, and retried where that is safe', async (t) => {
    let asked = 0
    const upstream = await http2Upstream(t, (stream, headers) => {
      if (++asked % 2 === 1) return stream.close(2)
      says('ok')(stream, headers)
    })
    const mesh = story(t).mesh(over(upstream.address))
    assert.equal(await doors['mesh.fetch']!(mesh), 'ok')
    const error = await rejection(doors['mesh.fetch']!(mesh, { method: 'POST', body: 'x' })) as { code: string, message: string }
    assert.equal(error.code, 'ENMESH_CONNECTION_RESET')
    assert.match(error.message, /INTERNAL_ERROR/)
    assert.equal(upstream.sessions.length, 1)
  })

  for (const [what, code] of [['no error', 0], ['a cancellation', 8], ['an internal error', 2]] as const) {
    test(`a body that is cut by ${what} is no whole body`, async (t) => {
      const upstream = await rawHttp2(t, (connection, { type, stream }) => {
        if (type !== frameTypes.headers) return
        connection.head(stream)
        connection.data(stream, 'half')
        connection.reset(stream, code)
      })
      const mesh = story(t).mesh(over(upstream.address))
      const response = await mesh.fetch(url)
      await assert.rejects(response.text(), { message: 'terminated' })
    })
  }

  test('a connection that is cut in a body breaks it', async (t) => {
    const upstream = await http2Upstream(t, (stream) => {
      stream.respond({ ':status': 200 })
      stream.write('half', () => stream.session!.destroy())
    })
    const mesh = story(t).mesh(over(upstream.address))
    const response = await mesh.fetch(url)
    await assert.rejects(response.text(), { message: 'terminated' })
  })
})

describe('what does not speak HTTP/2', () => {
  const listening = async (t: TestContext, serve: Parameters<typeof createServer>[1]): Promise<string> => {
    const server = createServer(serve as never).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    return `127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  test('a server of HTTP/1.1 gets no request, and the error says what to do', async (t) => {
    let requests = 0
    const server = createHttpServer((_, response) => { requests++; response.end('one') }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => { server.close(); server.closeAllConnections() })
    const mesh = story(t).mesh(over(`127.0.0.1:${(server.address() as AddressInfo).port}`))
    const error = await rejection(doors['mesh.fetch']!(mesh, { method: 'POST', body: 'x' })) as { code: string, message: string }
    assert.equal(error.code, 'ENMESH_CONNECT_FAILED')
    assert.match(error.message, /is not HTTP\/2.*leave `http2` of the cluster out/)
    assert.equal(requests, 0)
  })

  test('over TLS a server without HTTP/2 is refused in words', { skip }, async (t) => {
    const { mesh, upstream } = story(t)
    const server = await upstream((_, response) => { response.end('one') }, { ...made!.server })
    const error = await rejection(doors['mesh.fetch']!(mesh(over(server.address, { tls: { ca: made!.root } })))) as { code: string, message: string }
    assert.match(error.message, /HTTP\/2/)
    assert.match(error.message, /`http2` of the cluster/)
    assert.equal(server.requests.length, 0)
  })

  test('a server that accepts and says nothing is given up after connectTimeout', async (t) => {
    const sockets: { destroy(): void }[] = []
    const address = await listening(t, (socket: { destroy(): void }) => { sockets.push(socket) })
    t.after(() => sockets.forEach((socket) => socket.destroy()))
    const mesh = story(t).mesh(over(address, { connectTimeout: 50 }, { retry: false }))
    const error = await rejection(doors['mesh.fetch']!(mesh)) as { code: string, message: string }
    assert.equal(error.code, 'ENMESH_CONNECT_FAILED')
    assert.match(error.message, /connectTimeout of 50 ms: it sent no settings of HTTP\/2/)
  })

  test('and a cluster without `http2` whose endpoint speaks nothing else is told to set it', async (t) => {
    const upstream = await http2Upstream(t, says('two'))
    const mesh = story(t).mesh(over(upstream.address, { http2: false }, { retry: false }))
    const error = await rejection(doors['mesh.fetch']!(mesh)) as { code: string, message: string }
    assert.equal(error.code, 'ENMESH_CONNECTION_RESET')
    assert.match(error.message, /It speaks HTTP\/2: set `http2: true` for the cluster/)
  })

  test('nor is TLS mistaken for it', { skip }, async (t) => {
    const upstream = await http2Upstream(t, says('two'), { tls: { ...made!.server } })
    const mesh = story(t).mesh(over(upstream.address, {}, { retry: false }))
    const error = await rejection(doors['mesh.fetch']!(mesh)) as { code: string, message: string }
    assert.equal(error.code, 'ENMESH_CONNECT_FAILED')
    assert.match(error.message, /if it speaks TLS, set `tls: true`|before it brought settings of HTTP\/2/)
    assert.equal(upstream.heads.length, 0)
  })
})
