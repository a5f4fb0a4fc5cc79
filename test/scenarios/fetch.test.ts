import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { RequestListener } from 'node:http'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { MeshError, type MeshInput } from '../../src/index.ts'
import { gate, rejection, standsStill, story } from './support/story.ts'
import { bodyOf, hangs, says } from './support/upstream.ts'

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

interface Echo {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly text: string
  readonly length: number
  readonly digest: string
}

/** Tells what it was sent. */
const echoes: RequestListener = (request, response) => {
  void bodyOf(request).then((body) => {
    const echo = {
      method: request.method, url: request.url, headers: request.headers,
      text: body.length < 4096 ? body.toString() : '', length: body.length, digest: digest(body),
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(echo))
  })
}

const svc = (address: string, route: object = {}): MeshInput => ({
  services: { 'svc.test': { cluster: 'c', ...route } },
  clusters: { c: { registry: { type: 'static', endpoints: [address] } } },
})

const echo = async (response: Response): Promise<Echo> => await response.json() as Echo

const megabytes = 32
const chunk = new Uint8Array(64 * 1024).fill(97)
const chunks = megabytes * 16

test('a GET reaches the service with its path, its query, its headers and the name it dialled', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(echoes)
  const { fetch } = stage.mesh(svc(server.address))
  const response = await fetch('http://svc.test/a%20b/c?d=e&d=f', { headers: { 'x-tenant': 'acme' } })
  assert.ok(response instanceof Response)
  assert.equal(response.url, 'http://svc.test/a%20b/c?d=e&d=f')
  const { method, url, headers } = await echo(response)
  assert.deepEqual({ method, url, host: headers['host'], tenant: headers['x-tenant'] },
    { method: 'GET', url: '/a%20b/c?d=e&d=f', host: 'svc.test', tenant: 'acme' })
})

test('every kind of body arrives as it was given', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(echoes)
  const mesh = stage.mesh(svc(server.address))
  const form = new FormData()
  form.append('name', 'value')
  form.append('file', new Blob(['content']), 'file.txt')
  const streamOf = (...texts: readonly string[]): ReadableStream => new ReadableStream({
    start: (controller) => {
      for (const text of texts) controller.enqueue(new TextEncoder().encode(text))
      controller.close()
    },
  })
  const bodies: readonly [string, NonNullable<RequestInit['body']>, RegExp, RegExp?][] = [
    ['a string', 'hellö', /^hellö$/, /^text\/plain;charset=UTF-8$/],
    ['JSON', JSON.stringify({ a: 1 }), /^\{"a":1\}$/],
    ['URLSearchParams', new URLSearchParams({ a: 'b c' }), /^a=b\+c$/, /^application\/x-www-form-urlencoded/],
    ['FormData', form, /name="name"\r\n\r\nvalue\r\n.*filename="file\.txt".*content/s, /^multipart\/form-data; boundary=/],
    ['bytes', new TextEncoder().encode('bytes'), /^bytes$/],
    ['a buffer', new TextEncoder().encode('buffer').buffer, /^buffer$/],
    ['a Blob', new Blob(['blob'], { type: 'x/y' }), /^blob$/, /^x\/y$/],
    ['a stream', streamOf('one ', 'two'), /^one two$/],
  ]
  for (const method of ['POST', 'PUT']) {
    for (const [what, given, text, type] of bodies) {
      const body = given instanceof ReadableStream ? streamOf('one ', 'two') : given
      const arrived = await echo(await mesh.fetch('http://svc.test/', { method, body, duplex: 'half' }))
      assert.match(arrived.text, text, what)
      assert.equal(arrived.method, method)
      if (type) assert.match(arrived.headers['content-type'] ?? '', type, what)
    }
  }
})

test('megabytes go up and down unharmed', async (t) => {
  const stage = story(t)
  const server = await stage.upstream((request, response) => {
    void bodyOf(request).then((body) => response.end(body))
  })
  const mesh = stage.mesh(svc(server.address))
  const body = new Uint8Array(3 * 1024 * 1024 + 7).map((_, index) => index * 31 % 251)
  const response = await mesh.fetch('http://svc.test/', { method: 'POST', body })
  assert.equal(digest(new Uint8Array(await response.arrayBuffer())), digest(body))
})

test('a reader that stops holds the service back', async (t) => {
  const stage = story(t)
  let written = 0
  const server = await stage.upstream((_, response) => {
    const write = (): void => {
      while (written < chunks) {
        written++
        if (!response.write(chunk)) return void response.once('drain', write)
      }
      response.end()
    }
    write()
  })
  const mesh = stage.mesh(svc(server.address))
  const response = await mesh.fetch('http://svc.test/')
  const reader = response.body!.getReader()
  let read = (await reader.read()).value!.byteLength
  await standsStill(() => written)
  assert.ok(written < chunks, `all of ${megabytes} MiB was taken although nobody read it`)
  for (let part = await reader.read(); !part.done; part = await reader.read()) read += part.value.byteLength
  assert.equal(read, chunks * chunk.byteLength)
})

test('a service that stops reading holds the caller back', async (t) => {
  const stage = story(t)
  const go = gate()
  const server = await stage.upstream((request, response) => {
    void go.opened.then(async () => response.end(String((await bodyOf(request)).length)))
  })
  const mesh = stage.mesh(svc(server.address))
  let pulled = 0
  const body = new ReadableStream({
    pull: (controller) => {
      if (pulled++ < chunks) controller.enqueue(chunk)
      else controller.close()
    },
  })
  const response = mesh.fetch('http://svc.test/', { method: 'POST', body, duplex: 'half' })
  await server.arrived(1)
  await standsStill(() => pulled)
  assert.ok(pulled < chunks, `all of ${megabytes} MiB was sent although nobody read it`)
  go.open()
  assert.equal(await (await response).text(), String(chunks * chunk.byteLength))
})

test('HEAD, 204 and 304 have no body, and end', async (t) => {
  const stage = story(t)
  const server = await stage.upstream((request, response) => {
    const status = Number(request.url!.slice(1))
    response.writeHead(status, status === 200 ? { 'content-length': '5', 'x-a': 'b' } : {}).end()
  })
  const mesh = stage.mesh(svc(server.address))
  const head = await mesh.fetch('http://svc.test/200', { method: 'HEAD' })
  assert.deepEqual([head.status, head.headers.get('content-length'), head.headers.get('x-a'), await head.text()], [200, '5', 'b', ''])
  for (const status of [204, 304]) {
    const response = await mesh.fetch(`http://svc.test/${status}`)
    assert.deepEqual([response.status, await response.text()], [status, ''])
  }
})

test('gzip is unpacked, and several cookies stay apart', async (t) => {
  const stage = story(t)
  const server = await stage.upstream((request, response) => {
    response.setHeader('set-cookie', ['a=1', 'b=2; Path=/'])
    response.setHeader('content-encoding', 'gzip')
    response.end(gzipSync(`you accept ${String(request.headers['accept-encoding'])}`))
  })
  const mesh = stage.mesh(svc(server.address))
  const response = await mesh.fetch('http://svc.test/')
  assert.deepEqual(response.headers.getSetCookie(), ['a=1', 'b=2; Path=/'])
  assert.match(await response.text(), /^you accept .*gzip/)
})

test('an early hint is no answer', async (t) => {
  const stage = story(t)
  const server = await stage.upstream((_, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' }, () => response.end('final'))
  })
  const mesh = stage.mesh(svc(server.address))
  const response = await mesh.fetch('http://svc.test/')
  assert.deepEqual([response.status, await response.text()], [200, 'final'])
})

const redirecting: RequestListener = (request, response) => {
  const [, status, ...to] = request.url!.split('~')
  if (!status) return echoes(request, response)
  request.resume()
  response.writeHead(Number(status), { location: to.join('~') }).end('moved')
}

test('redirects are followed as the platform does, each hop through the mesh', async (t) => {
  const stage = story(t)
  const [first, second] = [await stage.upstream(redirecting), await stage.upstream(echoes)]
  const mesh = stage.mesh({ services: { 'first.test': [first.address], 'second.test': [second.address] }, egress: 'deny' })

  const found = await mesh.fetch('http://first.test/~302~/new')
  assert.deepEqual([found.url, found.redirected, (await echo(found)).url], ['http://first.test/new', true, '/new'])

  const kept = await echo(await mesh.fetch('http://first.test/~307~/new', { method: 'POST', body: 'again' }))
  assert.deepEqual([kept.method, kept.text], ['POST', 'again'])

  const seen = await echo(await mesh.fetch('http://first.test/~303~/new', { method: 'POST', body: 'once' }))
  assert.deepEqual([seen.method, seen.text], ['GET', ''])

  const other = await mesh.fetch('http://first.test/~307~http://second.test/there', { method: 'PUT', body: 'moved' })
  const { method, url, text, headers } = await echo(other)
  assert.deepEqual([method, url, text, headers['host']], ['PUT', '/there', 'moved', 'second.test'])
  const trail = mesh.trail(other)
  assert.equal(trail?.service, 'second.test')
  assert.equal(trail.endpoint, second.address)
  assert.deepEqual(trail.redirects.map(({ service, attempts }) => [service, attempts[0]?.status]), [['first.test', 307]])

  const manual = await mesh.fetch('http://first.test/~302~/new', { redirect: 'manual' })
  assert.deepEqual([manual.status, manual.headers.get('location')], [302, '/new'])
  await manual.text()
})

test('a redirect to a denied host is denied, and the error tells the hops', async (t) => {
  const stage = story(t)
  const [server, secret] = [await stage.upstream(redirecting), await stage.upstream(says('secret'))]
  const mesh = stage.mesh({ services: { 'first.test': [server.address] }, egress: 'deny' })
  for (const status of [301, 302, 303, 307, 308]) {
    const error = await rejection(mesh.fetch(`http://first.test/~${status}~${secret.url}/`))
    assert.ok(error instanceof MeshError)
    assert.equal(error.code, 'ENMESH_EGRESS_DENIED')
    assert.deepEqual(mesh.trail(error)?.attempts.map((attempt) => attempt.status), [status])
  }
  assert.equal(secret.requests.length, 0)
})

test("an abort before the head rejects with the signal's reason", async (t) => {
  const stage = story(t)
  const server = await stage.upstream(hangs)
  const mesh = stage.mesh(svc(server.address))
  const controller = new AbortController()
  const response = mesh.fetch('http://svc.test/', { signal: controller.signal })
  await server.arrived(1)
  const reason = new Error('enough')
  controller.abort(reason)
  assert.equal(await rejection(response), reason)
  await server.deserted()
  assert.equal(mesh.status().clusters['c']!.endpoints[0]!.failures, 0)
})

test("an abort during the body rejects the reader with the signal's reason", async (t) => {
  const stage = story(t)
  const server = await stage.upstream((_, response) => { response.write('begun') })
  const mesh = stage.mesh(svc(server.address))
  const controller = new AbortController()
  const response = await mesh.fetch('http://svc.test/', { signal: controller.signal })
  const reader = response.body!.getReader()
  assert.equal(new TextDecoder().decode((await reader.read()).value), 'begun')
  const reason = new Error('enough')
  controller.abort(reason)
  assert.equal(await rejection(reader.read()), reason)
  await server.deserted()
  assert.equal(mesh.status().clusters['c']!.endpoints[0]!.failures, 0)
})

test('AbortSignal.timeout rejects with its TimeoutError', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(hangs)
  const mesh = stage.mesh(svc(server.address))
  // eslint-disable-next-line no-restricted-properties -- what a caller brings is the platform's own
  const signal = AbortSignal.timeout(20)
  const error = await rejection(mesh.fetch('http://svc.test/', { signal }))
  assert.equal(error, signal.reason)
  assert.equal((error as Error).name, 'TimeoutError')
})

test('a signal that is aborted already sends nothing', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('never'))
  const mesh = stage.mesh(svc(server.address))
  const reason = new Error('too late')
  assert.equal(await rejection(mesh.fetch('http://svc.test/', { signal: AbortSignal.abort(reason) })), reason)
  assert.equal(server.requests.length, 0)
})

test('an abort ends the wait between two attempts', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('busy', 503))
  const mesh = stage.mesh(svc(server.address, { retry: { backoff: { base: '1h', max: '1h' } }, timeout: 0 }))
  const controller = new AbortController()
  const reason = new Error('enough')
  mesh.on('retry', () => controller.abort(reason))
  assert.equal(await rejection(mesh.fetch('http://svc.test/', { signal: controller.signal })), reason)
  assert.equal(server.requests.length, 1)
})

test('a Request object brings its method, its headers, its body and its signal', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(echoes)
  const mesh = stage.mesh(svc(server.address))
  const controller = new AbortController()
  const request = new Request('http://svc.test/r', { method: 'POST', body: 'from a request', headers: { 'x-a': 'b' }, signal: controller.signal })
  const { method, url, text, headers } = await echo(await mesh.fetch(request))
  assert.deepEqual([method, url, text, headers['x-a']], ['POST', '/r', 'from a request', 'b'])
  server.answer = hangs
  const reason = new Error('enough')
  const response = mesh.fetch(new Request('http://svc.test/', { signal: controller.signal }))
  await server.arrived(2)
  controller.abort(reason)
  assert.equal(await rejection(response), reason)
})

test('init.mesh changes the policy of one call and of no other', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('busy', 503))
  const mesh = stage.mesh(svc(server.address, { retry: { backoff: { max: 1 } } }))
  const attempts = async (policy?: object): Promise<number> => {
    const response = await mesh.fetch('http://svc.test/', policy ? { mesh: policy } : {})
    await response.text()
    return mesh.trail(response)!.attempts.length
  }
  assert.equal(await attempts(), 3)
  assert.equal(await attempts({ retry: false }), 1)
  assert.equal(await attempts({ retry: { attempts: 2 } }), 2)
  assert.equal(await attempts({ retry: { on: [502] } }), 1)
  assert.equal(await attempts(), 3)
  server.answer = hangs
  const codes = [
    [{ timeout: '20ms' }, 'ENMESH_DEADLINE_EXCEEDED'],
    [{ attemptTimeout: '20ms', retry: false }, 'ENMESH_ATTEMPT_TIMEOUT'],
    [{ idleTimeout: '20ms', retry: false }, 'ENMESH_ATTEMPT_TIMEOUT'],
  ] as const
  for (const [policy, code] of codes) {
    const error = await rejection(mesh.fetch('http://svc.test/', { mesh: policy }))
    assert.equal((error as MeshError).code, code)
  }
})

test('the deadline covers the body too', async (t) => {
  const stage = story(t)
  const server = await stage.upstream((_, response) => { response.write('begun') })
  // Long enough for the head to come on a machine that is busy.
  const mesh = stage.mesh(svc(server.address, { timeout: '1s' }))
  const response = await mesh.fetch('http://svc.test/')
  const error = await rejection(response.text()) as Error
  const found = error instanceof MeshError ? error : error.cause
  assert.ok(found instanceof MeshError, String(error))
  assert.equal(found.code, 'ENMESH_DEADLINE_EXCEEDED')
  assert.match(found.message, /waited for the end of the body/)
})

test('the trail tells what happened to a call, whether it was answered or failed', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('busy', 503))
  const mesh = stage.mesh({
    services: { 'svc.test': { routes: [{ name: 'main', to: 'c', retry: { attempts: 2, backoff: { max: 1 } } }] } },
    clusters: { c: { registry: { type: 'static', endpoints: [server.address] } } },
  })
  const response = await mesh.fetch('http://svc.test/')
  await response.text()
  const { attempts, took, requestId, ...trail } = mesh.trail(response)!
  assert.equal(requestId, server.requests.at(-1)?.headers['x-request-id'])
  assert.deepEqual(trail, { service: 'svc.test', route: 'main', cluster: 'c', endpoint: server.address, stopped: 'attempts', redirects: [] })
  assert.ok(took! > 0)
  assert.deepEqual(attempts.map(({ number, endpoint, why, status, ending }) => ({ number, endpoint, why, status, ending })), [
    { number: 1, endpoint: server.address, why: 'first', status: 503, ending: 'complete' },
    { number: 2, endpoint: server.address, why: 'retry after 503', status: 503, ending: 'complete' },
  ])
  for (const { queued, head, took } of attempts) assert.ok(queued! <= head! && head! <= took!)

  server.answer = (request) => { request.socket.destroy() }
  const error = await rejection(mesh.fetch('http://svc.test/', { method: 'POST', body: 'x' }))
  const failed = mesh.trail(error)!
  assert.equal(failed.attempts.at(-1)?.ending, 'ENMESH_CONNECTION_RESET')
  assert.equal(failed.stopped, 'not-repeatable')
  assert.equal(mesh.trail({}), undefined)
  assert.equal(mesh.trail(new Response()), undefined)
})
