import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { createMesh, type Mesh } from '../../src/index.ts'
import { createGateway, type Gateway } from '../../src/server/index.ts'
import { RawUpstream } from '../support/raw-upstream.ts'

/*
 * What reaches a service when somebody wants more to reach it. Each row is sent over a socket of its own, and behind it another request that asks to close:
 * either the gateway has ended the connection before it, or it is answered as the request that it is, and never as the body of another or another's answer.
 * The service reads strictly by itself; what it could read in two ways is a fault of the gateway.
 */

const end = 'GET /public/end HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n'

interface Row {
  readonly name: string
  readonly raw: string
  /** Statuses of all answers on the connection. */
  readonly statuses: readonly number[]
  /** What the service gets before the last request: method, target and body. */
  readonly seen?: readonly string[]
}

const refused = (name: string, raw: string, status = 400): Row => ({ name, raw, statuses: [status] })

const passed = (name: string, raw: string, ...seen: readonly string[]): Row =>
  ({ name, raw, statuses: [...seen.map(() => 200), 200], seen: [...seen, 'GET /public/end'] })

/** An answer of the gateway after which the connection goes on. */
const unrouted = (name: string, raw: string): Row => ({ name, raw, statuses: [404, 200], seen: ['GET /public/end'] })

const get = (target: string, fields = '', host = 'shop.test'): string => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`
const post = (fields: string, body = ''): string => `POST /public/x HTTP/1.1\r\nHost: shop.test\r\n${fields}\r\n${body}`
const smuggled = get('/admin/all', 'x-staff: yes\r\n')
const chunked = 'Transfer-Encoding: chunked\r\n'

const lengths: readonly Row[] = [
  refused('two lengths', post('Content-Length: 5\r\nContent-Length: 6\r\n', 'hello')),
  refused('one length twice', post('Content-Length: 5\r\nContent-Length: 5\r\n', 'hello')),
  refused('a list of lengths', post('Content-Length: 5, 5\r\n', 'hello')),
  refused('a length with a sign', post('Content-Length: +5\r\n', 'hello')),
  refused('a length below zero', post('Content-Length: -1\r\n')),
  refused('a hexadecimal length', post('Content-Length: 0x5\r\n', 'hello')),
  refused('a length with a space in it', post('Content-Length: 5 5\r\n', 'hello')),
  refused('an empty length', post('Content-Length: \r\n')),
  refused('a length that no number holds', post('Content-Length: 99999999999999999999\r\n')),
  refused('a length above the limit', post('Content-Length: 200000\r\n'), 413),
  refused('a length, then a coding', post(`Content-Length: 6\r\n${chunked}`, `0\r\n\r\n${smuggled}`)),
  refused('a coding, then a length', post(`${chunked}Content-Length: 6\r\n`, `0\r\n\r\n${smuggled}`)),
  passed('a body that looks like a request', post(`Content-Length: ${smuggled.length}\r\n`, smuggled), `POST /public/x ${smuggled}`),
  passed('a GET with a body', get('/public/x', `Content-Length: ${smuggled.length}\r\n`) + smuggled, `GET /public/x ${smuggled}`),
  passed('a length under another spelling', post('Content_Length: 300\r\nContent-Length: 2\r\n', 'hi'), 'POST /public/x hi'),
]

const codings: readonly Row[] = [
  refused('chunked twice in a list', post('Transfer-Encoding: chunked, chunked\r\n', '0\r\n\r\n')),
  refused('identity', post('Transfer-Encoding: identity\r\n', 'hello'), 501),
  refused('another coding before chunked', post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'), 501),
  refused('chunked before another coding', post('Transfer-Encoding: chunked, gzip\r\n', '0\r\n\r\n')),
  refused('almost chunked', post('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'), 501),
  refused('chunked with a parameter', post('Transfer-Encoding: chunked;q=1\r\n', '0\r\n\r\n'), 501),
  refused('chunked behind a vertical tab', post('Transfer-Encoding: \x0bchunked\r\n', '0\r\n\r\n')),
  refused('chunked in quotes', post('Transfer-Encoding: "chunked"\r\n', '0\r\n\r\n'), 501),
  refused('two fields of codings', post(`${chunked}Transfer-Encoding: identity\r\n`, '0\r\n\r\n')),
  refused('chunked in two fields', post(`${chunked}${chunked}`, '0\r\n\r\n')),
  refused('a space before the colon', post('Transfer-Encoding : chunked\r\n', '0\r\n\r\n')),
  refused('a tab before the colon', post('Transfer-Encoding\t: chunked\r\n', '0\r\n\r\n')),
  refused('a coding with HTTP/1.0', `POST /public/x HTTP/1.0\r\nHost: shop.test\r\n${chunked}\r\n0\r\n\r\n`),
  refused('a coding that is folded', post('Transfer-Encoding:\r\n chunked\r\n', '0\r\n\r\n')),
  passed('chunked in capitals', post('Transfer-Encoding: CHUNKED\r\n', '2\r\nhi\r\n0\r\n\r\n'), 'POST /public/x hi'),
  passed('a coding under another spelling', post('Transfer_Encoding: chunked\r\nContent-Length: 5\r\n', '0\r\n\r\n'), 'POST /public/x 0\r\n\r\n'),
]

const broken = (name: string, body: string): Row => refused(`chunks: ${name}`, post(chunked, body))

const chunks: readonly Row[] = [
  broken('a size that is no number', 'g\r\nhello\r\n0\r\n\r\n'),
  broken('a size below zero', '-5\r\nhello\r\n0\r\n\r\n'),
  broken('a size with 0x', '0x5\r\nhello\r\n0\r\n\r\n'),
  broken('a size that no number holds', 'fffffffffffffffff\r\nhello\r\n0\r\n\r\n'),
  broken('an empty size', '\r\nhello\r\n0\r\n\r\n'),
  broken('a bare LF behind the size', '5\nhello\r\n0\r\n\r\n'),
  broken('a bare CR behind the size', '5\rhello\r\n0\r\n\r\n'),
  broken('more bytes than the size', '5\r\nhello there\r\n0\r\n\r\n'),
  broken('a bare LF in an extension', `2;a=b\nhi\r\n0\r\n\r\n${smuggled}`),
  broken('a length in the trailers', '2\r\nhi\r\n0\r\nContent-Length: 99\r\n\r\n'),
  broken('a bare LF at the end', `2\r\nhi\r\n0\n\n${smuggled}`),
  refused('chunks: extensions without end', post(chunked, `2;${'a'.repeat(20_000)}\r\nhi\r\n0\r\n\r\n`), 413),
  passed('chunks with extensions', post(chunked, '2;a=b;c="d"\r\nhi\r\n0;e\r\n\r\n'), 'POST /public/x hi'),
  passed('trailers that forge', post(chunked, '2\r\nhi\r\n0\r\nHost: admin.test\r\nx-staff: yes\r\n\r\n'), 'POST /public/x hi'),
]

const targets: readonly Row[] = [
  passed('an absolute target', get('http://shop.test/public/x?y'), 'GET /public/x?y'),
  refused('an absolute target of another host', get('http://admin.test/public/x')),
  refused('an absolute target with credentials', get('http://admin.test@shop.test/public/x')),
  refused('an absolute target of another scheme', get('file:///public/x')),
  refused('an absolute target with another port', get('http://shop.test:81/public/x')),
  refused('an authority for a target', get('shop.test:80')),
  refused('a target without a slash', get('public/x')),
  refused('CONNECT', 'CONNECT admin.test:80 HTTP/1.1\r\nHost: admin.test\r\n\r\n', 501),
  refused('TRACE', 'TRACE /public/x HTTP/1.1\r\nHost: shop.test\r\n\r\n', 501),
  refused('OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: shop.test\r\n\r\n'),
  passed('two slashes in front', get('//public/x'), 'GET /public/x'),
  passed('slashes in between', get('/public///x'), 'GET /public/x'),
  passed('a dot', get('/./public/./x'), 'GET /public/x'),
  unrouted('two dots', get('/public/../admin/x')),
  unrouted('two dots that are escaped', get('/public/%2e%2E/admin/x')),
  unrouted('two dots behind two slashes', get('/public//../../admin/x')),
  unrouted('backslashes', get('/public\\..\\admin\\x')),
  unrouted('letters that are escaped', get('/%61dmin/x')),
  passed('letters that are escaped on the way to a route', get('/%70ublic/%78'), 'GET /public/x'),
  passed('dots that are escaped twice', get('/public/%252e%252e/admin'), 'GET /public/%252e%252e/admin'),
  refused('an escaped slash', get('/public/..%2fadmin')),
  refused('an escaped backslash', get('/public/..%5Cadmin')),
  refused('an escaped null', get('/public/x%00.png')),
  refused('an escaped line break', get('/public/x%0d%0ax-staff:yes')),
  refused('an escape that is none', get('/public/%zz')),
  refused('dots with parameters', get('/public/..;a=b/admin')),
  refused('a space in the target', get('/public/a b')),
  refused('a fragment', get('/public/#/../admin')),
  refused('bytes that have to be escaped', get('/public/\xe4')),
  refused('a null in the target', get('/public/\0x')),
  refused('a target that is too long', get(`/public/${'x'.repeat(9_000)}`), 414),
  passed('a query that looks like a path', get('/public/x?/../admin'), 'GET /public/x?/../admin'),
]

const hosts: readonly Row[] = [
  refused('no host', 'GET /public/x HTTP/1.1\r\n\r\n'),
  refused('no host with HTTP/1.0', 'GET /public/x HTTP/1.0\r\n\r\n'),
  refused('an empty host', get('/public/x', '', '')),
  refused('two hosts', get('/public/x', 'Host: admin.test\r\n')),
  refused('one host twice', get('/public/x', 'Host: shop.test\r\n')),
  refused('a host with credentials', get('/public/x', '', 'admin.test@shop.test')),
  refused('a host with a path', get('/public/x', '', 'shop.test/admin')),
  refused('a list of hosts', get('/public/x', '', 'shop.test, admin.test')),
  refused('a host with a space', get('/public/x', '', 'shop.test admin.test')),
  refused('a host with a port that is none', get('/public/x', '', 'shop.test:99999')),
  refused('a host with an escape', get('/public/x', '', 'shop%2etest')),
  passed('a host in capitals with a dot and a port', get('/public/x', '', 'SHOP.test.:8080'), 'GET /public/x'),
  passed('hosts in other fields', get('/public/x', 'X-Forwarded-Host: admin.test\r\nForwarded: host=admin.test\r\nX-Original-URL: /admin\r\n'), 'GET /public/x'),
]

const heads: readonly Row[] = [
  refused('bare LFs', 'GET /public/x HTTP/1.1\nHost: shop.test\n\n'),
  refused('a bare LF in a value', get('/public/x', 'a: b\nx-staff: yes\r\n')),
  refused('a bare CR in a value', get('/public/x', 'a: b\rx-staff: yes\r\n')),
  refused('a null in a value', get('/public/x', 'a: b\0c\r\n')),
  refused('a value that is folded', get('/public/x', 'a: b\r\n c\r\n')),
  refused('a space before the first field', 'GET /public/x HTTP/1.1\r\n Host: shop.test\r\nHost: shop.test\r\n\r\n'),
  refused('a space in a name', get('/public/x', 'x staff: yes\r\n')),
  refused('an empty name', get('/public/x', ': yes\r\n')),
  refused('a field without a colon', get('/public/x', 'x-staff\r\n')),
  refused('a null in a name', get('/public/x', 'x\0staff: yes\r\n')),
  refused('too many fields', get('/public/x', 'a: b\r\n'.repeat(100)), 431),
  refused('far too many fields', get('/public/x', 'a:b\r\n'.repeat(2_900)), 431),
  refused('a value that is too long', get('/public/x', `a: ${'b'.repeat(20_000)}\r\n`), 431),
  refused('a version that is not spoken', 'GET /public/x HTTP/2.0\r\nHost: shop.test\r\n\r\n', 505),
  refused('a version that is none', 'GET /public/x HTTP/1.1x\r\nHost: shop.test\r\n\r\n'),
  refused('no version', 'GET /public/x\r\n\r\n', 505),
  refused('the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  refused('a method in small letters', 'get /public/x HTTP/1.1\r\nHost: shop.test\r\n\r\n'),
  refused('a greeting of TLS', '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03'),
  refused('host as a field of the connection', get('/public/x', 'Connection: close, Host\r\n')),
  refused('the length as a field of the connection', post('Connection: content-length\r\nContent-Length: 2\r\n', 'hi')),
  refused('another expectation', post('Expect: 200-ok\r\nContent-Length: 2\r\n', 'hi'), 417),
  refused('an upgrade with a body', post(`Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: ${smuggled.length}\r\n`, smuggled)),
  unrouted('a field of the connection that a route asks for', get('/admin/x', 'Connection: x-staff\r\nx-staff: yes\r\n')),
  passed('empty lines before a request', `\r\n\r\n${get('/public/x')}`, 'GET /public/x'),
  passed('three requests at once', get('/public/1') + get('/public/2') + get('/public/3'), 'GET /public/1', 'GET /public/2', 'GET /public/3'),
  { name: 'a request, and then none', raw: `${get('/public/1')}nonsense\r\n\r\n`, statuses: [200], seen: ['GET /public/1'] },
  { name: 'an upgrade that is refused, and a request behind it', raw: get('/public/x', 'Connection: upgrade\r\nUpgrade: websocket\r\n') + smuggled,
    statuses: [200], seen: ['GET /public/x'] },
  { name: 'HEAD, and what looks like its body', raw: 'HEAD /public/x HTTP/1.1\r\nHost: shop.test\r\n\r\n', statuses: [200, 200],
    seen: ['HEAD /public/x', 'GET /public/end'] },
]

describe('what is sent to get past a gateway', () => {
  const service = new RawUpstream(({ line }) => line.startsWith('HEAD') ? 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n' : 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
  const admin = new RawUpstream()
  let mesh: Mesh
  let gateway: Gateway
  let port: number

  before(async () => {
    await Promise.all([service.start(), admin.start()])
    mesh = createMesh({ services: { 'public.test': { cluster: 'public' }, 'admin.local': { cluster: 'admin' } }, clusters: {
      public: { registry: { type: 'static', endpoints: [service.address] } },
      admin: { registry: { type: 'static', endpoints: [admin.address] } },
    } })
    gateway = createGateway(mesh, { maxBody: 100_000, routes: [
      { match: { host: 'shop.test', path: { prefix: '/public' } }, service: 'public.test' },
      { match: { host: 'shop.test', path: { prefix: '/admin' }, headers: { 'x-staff': 'yes' } }, service: 'admin.local' },
      { match: { host: 'admin.test' }, service: 'admin.local' },
    ] })
    await once(gateway.server.listen(0, '127.0.0.1'), 'listening')
    port = (gateway.server.address() as AddressInfo).port
  })

  after(async () => {
    await gateway.close()
    await mesh.close()
    await Promise.all([service.close(), admin.close()])
  })

  /** All that comes back until the connection ends. */
  const send = async (raw: string): Promise<string> => {
    const socket = connect(port, '127.0.0.1').setEncoding('latin1')
    socket.on('error', () => {})
    let answer = ''
    socket.on('data', (text: string) => { answer += text })
    socket.write(raw, 'latin1')
    await new Promise((resolve) => { socket.once('close', resolve) })
    return answer
  }

  const rows = [...lengths, ...codings, ...chunks, ...targets, ...hosts, ...heads]

  for (const { name, raw, statuses, seen = [] } of rows) {
    test(name, async () => {
      const before = service.requests.length
      const answer = await send(raw + end)
      assert.deepEqual([...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status)), statuses, answer)
      const came = service.requests.slice(before).map(({ line, body }) => `${line.replace(/ HTTP\/1\.1$/, '')}${body === '' ? '' : ` ${body}`}`)
      assert.deepEqual(came, seen)
      const mesh = [...answer.matchAll(/enmesh-error: (\w+)/g)]
      assert.equal(mesh.length, statuses.filter((status) => status >= 400).length, 'each refusal says whose it is')
      assert.deepEqual(service.faults, [])
      assert.deepEqual(admin.connections, [], 'nothing came where nobody was let in')
    })
  }

  test('there are enough of them, each once', () => {
    assert.equal(new Set(rows.map(({ name }) => name)).size, rows.length)
    assert.ok(rows.length >= 100, `${rows.length}`)
  })

  test('the way that is guarded is there', async () => {
    assert.match(await send(`GET /admin/x HTTP/1.1\r\nHost: shop.test\r\nx-staff: yes\r\nConnection: close\r\n\r\n`), /^HTTP\/1\.1 200/)
    assert.equal(admin.requests.length, 1)
  })
})
