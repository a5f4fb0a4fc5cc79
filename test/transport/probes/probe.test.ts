import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttp, type RequestListener } from 'node:http'
import { createServer as createHttp2, createSecureServer, type ServerHttp2Stream, type IncomingHttpHeaders } from 'node:http2'
import { createServer as createHttps } from 'node:https'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { createServer as createTls, type TlsOptions } from 'node:tls'
import { z } from 'zod'
import { Endpoint } from '../../../src/core/endpoint.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { grpcProbe, healthProbe, http1Probe, http2Probe, tcpProbe, type HealthFinding } from '../../../src/transport/probes/probe.ts'
import { readTls, tlsConfig } from '../../../src/transport/tls/tls.ts'
import { authority } from '../../support/authority.ts'
import { runNode } from '../../support/child.ts'

const probes = z.discriminatedUnion('protocol', [http1Probe, http2Probe, tcpProbe, grpcProbe])

interface Asking {
  readonly address: string
  readonly check: z.input<typeof probes>
  readonly tls?: z.input<typeof tlsConfig>
  readonly signal?: AbortSignal
  readonly endpoint?: Partial<Endpoint>
}

const ask = ({ address, check, tls = false, signal = new AbortController().signal, endpoint = {} }: Asking): Promise<HealthFinding> => {
  const { shown, context } = readTls(tlsConfig.parse(tls))
  const probe = healthProbe(probes.parse(check), { tls: shown, context, host: 'svc.test' }, systemClock)
  return probe(Object.assign(new Endpoint({ address }), endpoint), signal)
}

/** A server on a free loopback port. It does not close, and the test does not end, while one of its connections is left. */
const listen = async (t: TestContext, server: Server): Promise<string> => {
  // Connections that are cut are what tests are about.
  server.on('connection', (socket: Socket) => { socket.on('error', () => {}) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => {
    const closed = once(server, 'close')
    server.close()
    await closed
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

const http1 = (t: TestContext, answer: RequestListener): Promise<string> => listen(t, createHttp(answer))

/** A server that says something of its own to whatever it is sent first. */
const raw = (t: TestContext, say: (socket: Socket) => void): Promise<string> =>
  listen(t, createServer((socket) => { socket.once('data', () => say(socket)) }))

type OnStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void

const http2 = (t: TestContext, answer: OnStream): Promise<string> => {
  const server = createHttp2()
  server.on('sessionError', () => {}).on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => {})
    answer(stream, headers)
  })
  return listen(t, server as unknown as Server)
}

const tls = authority()
const needsOpenssl = tls ? false : 'there is no openssl: apt-get install openssl'

const passes = { result: 'passed', found: 'status 200' }

test('http: asks by GET for the path, under the name of the host, and 200 is well', async (t) => {
  let seen: object = {}
  const address = await http1(t, ({ method, url, httpVersion, headers }, response) => {
    seen = { method, url, httpVersion, host: headers.host, agent: headers['user-agent'], traceparent: headers['traceparent'] }
    response.end('fine')
  })
  assert.deepEqual(await ask({ address, check: { protocol: 'http', path: '/health?deep=1' } }), passes)
  assert.deepEqual(seen, {
    method: 'GET', url: '/health?deep=1', httpVersion: '1.1', host: 'svc.test', agent: 'enmesh-health-check', traceparent: undefined,
  })
})

test('http: the check may name another host and another port', async (t) => {
  let host: string | undefined
  const address = await http1(t, ({ headers }, response) => { host = headers.host; response.end() })
  const port = Number(address.split(':')[1])
  assert.deepEqual(await ask({ address: '127.0.0.1:1', check: { protocol: 'http', host: 'health.test', port } }), passes)
  assert.equal(host, 'health.test')
})

test('a name goes to the address that its registry has looked up', async (t) => {
  const address = await http1(t, (_, response) => response.end())
  const name = `no.such.host.test:${address.split(':')[1]}`
  assert.deepEqual(await ask({ address: name, check: { protocol: 'http' }, endpoint: { ip: '127.0.0.1' } }), passes)
})

const answers: readonly { readonly name: string, readonly answer: RequestListener, readonly statuses?: number[], readonly finds: Partial<HealthFinding> }[] = [
  { name: 'a 503', answer: (_, response) => response.writeHead(503).end(), finds: { result: 'failed', found: 'status 503, where 200 is expected' } },
  { name: 'a redirect, which is not followed', answer: (_, response) => response.writeHead(302, { location: '/other' }).end(), finds: { result: 'failed', found: 'status 302, where 200 is expected' } },
  { name: 'a 204 where 200 is expected', answer: (_, response) => response.writeHead(204).end(), finds: { result: 'failed' } },
  { name: 'a 204 where it is expected', statuses: [200, 204], answer: (_, response) => response.writeHead(204).end(), finds: { result: 'passed', found: 'status 204' } },
  { name: 'a 200 where it is not expected', statuses: [204, 503], answer: (_, response) => response.end(), finds: { result: 'failed', found: 'status 200, where 204 or 503 is expected' } },
  {
    name: 'a 200 that asks to be taken out', answer: (_, response) => response.writeHead(200, { 'X-Envoy-Immediate-Health-Check-Fail': 'true' }).end(),
    finds: { result: 'failed', found: 'it asked to be taken out (x-envoy-immediate-health-check-fail)' },
  },
  { name: 'a 200 after early hints', answer: (_, response) => { response.writeProcessing(); response.end() }, finds: passes as HealthFinding },
  { name: 'a body without end, of which the beginning is enough', answer: (_, response) => { response.write('x'.repeat(200_000)) }, finds: passes as HealthFinding },
]

for (const { name, answer, statuses, finds } of answers) {
  test(`http: ${name}`, async (t) => {
    const address = await http1(t, answer)
    const { result, found } = await ask({ address, check: { protocol: 'http', ...(statuses && { statuses }) } })
    assert.deepEqual({ result, found }, { found, ...finds })
  })
}

const nonsense: readonly { readonly name: string, readonly say: (socket: Socket) => void, readonly found: RegExp }[] = [
  { name: 'garbage', say: (socket) => socket.end('\x00\x01\x02 what?\r\n\r\n'), found: /^no answer that can be used \(/ },
  { name: 'a reset', say: (socket) => socket.resetAndDestroy(), found: /^no answer that can be used \(ECONNRESET/ },
  { name: 'a connection that is closed without a word', say: (socket) => socket.end(), found: /^no answer that can be used \(/ },
  { name: 'half a head', say: (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-le'), found: /^no answer that can be used \(/ },
  { name: 'a body that breaks off', say: (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nx'), found: /^no answer that can be used \(/ },
  { name: 'a head without end', say: (socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(100_000)}`), found: /^no answer that can be used \(HPE_HEADER_OVERFLOW/ },
  { name: 'a change of protocol that nobody asked for', say: (socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'), found: /^no answer that can be used \(/ },
]

for (const protocol of ['http', 'http2', 'grpc'] as const) {
  for (const { name, say, found } of nonsense) {
    if (protocol !== 'http' && name === 'a head without end') continue
    test(`${protocol}: ${name} is no answer`, async (t) => {
      const finding = await ask({ address: await raw(t, say), check: { protocol } })
      assert.equal(finding.result, 'unanswered')
      if (protocol === 'http') assert.match(finding.found, found)
      assert.doesNotMatch(finding.found, /[\0-\x1f]/)
    })
  }
}

for (const protocol of ['http', 'http2', 'tcp', 'grpc'] as const) {
  test(`${protocol}: where nobody listens there is no connection`, async () => {
    const { result, found } = await ask({ address: '127.0.0.1:1', check: { protocol } })
    assert.equal(result, 'unanswered')
    assert.match(found, /^no connection could be made \(ECONNREFUSED/)
  })

  test(`${protocol}: a check that is given up leaves no connection`, async (t) => {
    const aborts = new AbortController()
    const server = createServer((socket) => { socket.resume() })
    const address = await listen(t, server)
    const connected = once(server, 'connection')
    const finding = ask({ address, check: { protocol }, signal: aborts.signal })
    if (protocol === 'tcp') return void await finding
    await connected
    aborts.abort()
    assert.equal((await finding).result, 'unanswered')
  })

  test(`${protocol}: one that was given up before it began asks nobody`, async () => {
    assert.equal((await ask({ address: '127.0.0.1:1', check: { protocol }, signal: AbortSignal.abort() })).result, 'unanswered')
  })

  test(`${protocol}: a check under way keeps no process alive`, async (t) => {
    const sockets: Socket[] = []
    const address = await listen(t, createServer((socket) => {
      sockets.push(socket.resume())
      // The connection of the check is there: now nothing else holds the process.
      if (sockets.length === 2) sockets[0]!.end()
    }))
    const { code, output } = await runNode(['--input-type=module', '-e', `
      import { once } from 'node:events'
      import { connect } from 'node:net'
      import { createMesh } from './src/index.ts'
      await once(connect(${address.split(':')[1]}, '127.0.0.1').resume(), 'connect')
      createMesh({
        services: { a: { cluster: 'a' } },
        clusters: { a: { registry: { type: 'static', endpoints: ['${address}'] }, healthCheck: { protocol: '${protocol}', timeout: '1h', interval: '1h' } } },
      })
    `], 20_000)
    assert.deepEqual({ code, output }, { code: 0, output: '\n' })
  })
}

test('tcp: a connection is enough, and nothing is sent', async (t) => {
  const received: Buffer[] = []
  const address = await listen(t, createServer((socket) => { socket.on('data', (data) => received.push(data)) }))
  assert.deepEqual(await ask({ address, check: { protocol: 'tcp' } }), { result: 'passed', found: 'a connection could be made' })
  assert.deepEqual(received, [])
})

test('http2: asks by GET for the path, under the name of the host', async (t) => {
  let seen: IncomingHttpHeaders = {}
  const address = await http2(t, (stream, headers) => {
    seen = headers
    stream.respond({ ':status': 200 })
    stream.end('fine')
  })
  assert.deepEqual(await ask({ address, check: { protocol: 'http2', path: '/health' } }), passes)
  const { ':method': method, ':path': path, ':authority': host, ':scheme': scheme } = seen
  assert.deepEqual({ method, path, host, scheme }, { method: 'GET', path: '/health', host: 'svc.test', scheme: 'http' })
})

test('http2: an unexpected status, and the wish to be taken out', async (t) => {
  const statuses = [503, 200]
  const address = await http2(t, (stream) => {
    stream.respond({ ':status': statuses.shift()!, 'x-envoy-immediate-health-check-fail': '' }, { endStream: true })
  })
  for (let i = 0; i < 2; i++) assert.equal((await ask({ address, check: { protocol: 'http2' } })).result, 'failed')
})

for (const [name, misbehave] of Object.entries<OnStream>({
  'a stream that is refused': (stream) => stream.close(7),
  'a stream that is reset after its head': (stream) => { stream.respond({ ':status': 200 }); stream.write('x', () => stream.destroy(new Error('oh'))) },
  'a session that goes away': (stream) => { stream.session!.goaway(2) },
  'a session that is cut': (stream) => { stream.respond({ ':status': 200 }); stream.session!.destroy() },
  'a connection that is cut': (stream) => { stream.respond({ ':status': 200 }); stream.session!.socket.destroy() },
})) {
  for (const protocol of ['http2', 'grpc'] as const) {
    test(`${protocol}: ${name} is no answer`, async (t) => {
      const { result, found } = await ask({ address: await http2(t, misbehave), check: { protocol } })
      assert.equal(result, 'unanswered', found)
    })
  }
}

/** A health service of gRPC that answers with these bytes, or with a code. */
const grpc = (t: TestContext, { message, code = 0, type = 'application/grpc', heard }: {
  readonly message?: Uint8Array, readonly code?: number, readonly type?: string, readonly heard?: (headers: IncomingHttpHeaders, body: Buffer) => void
}): Promise<string> => http2(t, (stream, headers) => {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  stream.on('end', () => {
    heard?.(headers, Buffer.concat(chunks))
    if (!message) return stream.respond({ ':status': 200, 'content-type': type, 'grpc-status': String(code) }, { endStream: true })
    stream.respond({ ':status': 200, 'content-type': type }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(code) }))
    stream.end(message)
  })
})

const framed = (...bytes: readonly number[]): Uint8Array => Uint8Array.of(0, 0, 0, 0, bytes.length, ...bytes)

test('grpc: asks the health service for the server, or for one service', async (t) => {
  const heard: [path: string | undefined, type: string | undefined, te: string | undefined, body: string][] = []
  const address = await grpc(t, {
    message: framed(8, 1),
    heard: (headers, body) => heard.push([headers[':path'], headers['content-type'], headers.te as string | undefined, body.toString('hex')]),
  })
  const long = 'x'.repeat(200)
  for (const service of ['', 'shop.Pricing', long]) {
    assert.deepEqual(await ask({ address, check: { protocol: 'grpc', service } }), { result: 'passed', found: 'SERVING' })
  }
  const sent = ['/grpc.health.v1.Health/Check', 'application/grpc', 'trailers'] as const
  assert.deepEqual(heard, [
    [...sent, '0000000000'],
    [...sent, `000000000e0a0c${Buffer.from('shop.Pricing').toString('hex')}`],
    [...sent, `00000000cb0ac801${Buffer.from(long).toString('hex')}`],
  ])
})

const messages: readonly { readonly name: string, readonly answer: Parameters<typeof grpc>[1], readonly result?: HealthFinding['result'], readonly found: string | RegExp }[] = [
  { name: 'SERVING beside fields of the future', answer: { message: framed(0x10, 0x96, 1, 0x1a, 2, 8, 2, 0x21, 1, 2, 3, 4, 5, 6, 7, 8, 0x2d, 1, 2, 3, 4, 8, 1) }, result: 'passed', found: 'SERVING' },
  { name: 'the last of several statuses', answer: { message: framed(8, 1, 8, 2) }, found: 'NOT_SERVING' },
  { name: 'NOT_SERVING', answer: { message: framed(8, 2) }, found: 'NOT_SERVING' },
  { name: 'no status, which is UNKNOWN', answer: { message: framed() }, found: 'UNKNOWN' },
  { name: 'SERVICE_UNKNOWN', answer: { message: framed(8, 3) }, found: 'SERVICE_UNKNOWN' },
  { name: 'a status of the future', answer: { message: framed(8, 0x80, 1) }, found: 'the unknown serving status 128' },
  { name: 'UNIMPLEMENTED', answer: { code: 12 }, found: 'gRPC status 12 (UNIMPLEMENTED: it has no health service)' },
  { name: 'NOT_FOUND', answer: { code: 5 }, found: 'gRPC status 5 (NOT_FOUND: it does not know the service)' },
  { name: 'SERVING with an error behind it', answer: { message: framed(8, 1), code: 13 }, found: 'gRPC status 13' },
  { name: 'an answer that is no gRPC', answer: { message: Buffer.from('<html>'), type: 'text/html' }, found: /^an answer of type 'text\/html', which is not gRPC/ },
  { name: 'a message that breaks off', answer: { message: Uint8Array.of(0, 0, 0, 0, 9, 8, 1) }, found: 'an answer that is no HealthCheckResponse' },
  { name: 'a field that breaks off', answer: { message: framed(0x1a, 9, 1) }, found: 'an answer that is no HealthCheckResponse' },
  { name: 'a number without end', answer: { message: framed(8, ...Array<number>(20).fill(0xff)) }, found: 'an answer that is no HealthCheckResponse' },
  { name: 'a kind of field that there is not', answer: { message: framed(0x0f) }, found: 'an answer that is no HealthCheckResponse' },
  { name: 'a compressed message', answer: { message: Uint8Array.of(1, 0, 0, 0, 2, 8, 1) }, found: 'an answer that is no HealthCheckResponse' },
  { name: 'two messages', answer: { message: Buffer.concat([framed(8, 1), framed(8, 1)]) }, found: 'an answer that is no HealthCheckResponse' },
]

for (const { name, answer, result = 'failed', found } of messages) {
  test(`grpc: ${name}`, async (t) => {
    const finding = await ask({ address: await grpc(t, answer), check: { protocol: 'grpc' } })
    assert.equal(finding.result, result)
    if (typeof found === 'string') assert.equal(finding.found, found)
    else assert.match(finding.found, found)
  })
}

test('grpc: a status of HTTP that is not 200', async (t) => {
  const address = await http2(t, (stream) => { stream.respond({ ':status': 404 }, { endStream: true }) })
  assert.deepEqual(await ask({ address, check: { protocol: 'grpc' } }), { result: 'failed', found: 'status 404, where gRPC always has 200: check that the port speaks gRPC' })
})

/** Servers that speak all protocols over TLS. */
const secured = (t: TestContext, options: TlsOptions = {}) => {
  const { server } = tls!
  const quiet = <S extends { on(event: string, listener: () => void): S }>(made: S): S => made.on('tlsClientError', () => {})
  return {
    http: () => listen(t, quiet(createHttps({ ...server, ...options }, (_, response) => response.end()))),
    tcp: () => listen(t, quiet(createTls({ ...server, ...options }, (socket) => { socket.on('error', () => {}).resume() }))),
    http2: () => listen(t, quiet(createSecureServer({ ...server, ...options })).on('stream', (stream: ServerHttp2Stream) => {
      stream.respond({ ':status': 200 }, { endStream: true })
    }) as unknown as Server),
    grpc: () => listen(t, quiet(createSecureServer({ ...server, ...options })).on('stream', (stream: ServerHttp2Stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.end(framed(8, 1))
    }) as unknown as Server),
  }
}

for (const protocol of ['http', 'http2', 'tcp', 'grpc'] as const) {
  test(`${protocol} over TLS: verified by the authorities of the cluster, for the name of the host`, { skip: needsOpenssl }, async (t) => {
    const address = await secured(t)[protocol]()
    assert.equal((await ask({ address, check: { protocol }, tls: { ca: tls!.root } })).result, 'passed')
  })

  test(`${protocol} over TLS: an authority that is not trusted, and a name that is not carried`, { skip: needsOpenssl }, async (t) => {
    const address = await secured(t)[protocol]()
    const untrusted = await ask({ address, check: { protocol }, tls: { ca: tls!.otherRoot } })
    assert.equal(untrusted.result, 'unanswered')
    assert.match(untrusted.found, /^the TLS connection could not be made: the endpoint's certificate leads to the issuer/)
    const wrong = await ask({ address, check: { protocol }, tls: { ca: tls!.root, servername: 'wrong.test' } })
    assert.match(wrong.found, /should be for 'wrong\.test', and is for/)
  })

  test(`${protocol} over TLS: shows the cluster's own certificate`, { skip: needsOpenssl }, async (t) => {
    const address = await secured(t, { requestCert: true, rejectUnauthorized: true, ca: tls!.root, maxVersion: 'TLSv1.2' })[protocol]()
    const { client, root } = tls!
    assert.equal((await ask({ address, check: { protocol }, tls: { ca: root, ...client } })).result, 'passed')
    assert.equal((await ask({ address, check: { protocol }, tls: { ca: root } })).result, 'unanswered')
  })

  test(`${protocol} over TLS: an endpoint that speaks none`, { skip: needsOpenssl }, async (t) => {
    const address = await listen(t, createServer((socket) => socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n')))
    const { result, found } = await ask({ address, check: { protocol }, tls: true })
    assert.equal(result, 'unanswered')
    assert.match(found, /^the TLS connection could not be made: what the endpoint answered is no TLS/)
  })
}

test('http2 over TLS: an endpoint that does not choose HTTP/2', { skip: needsOpenssl }, async (t) => {
  const address = await secured(t).tcp()
  const { result, found } = await ask({ address, check: { protocol: 'http2' }, tls: { ca: tls!.root } })
  assert.equal(result, 'unanswered')
  assert.match(found, /HTTP\/2/)
})

test('an endpoint whose registry says TLS is checked with TLS', { skip: needsOpenssl }, async (t) => {
  const address = await secured(t).http()
  assert.equal((await ask({ address, check: { protocol: 'http' }, endpoint: { tls: true } })).result, 'unanswered', 'the machine does not trust it')
})
