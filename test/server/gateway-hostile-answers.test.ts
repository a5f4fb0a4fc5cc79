import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { createMesh, type Mesh } from '../../src/index.ts'
import { createGateway, type Gateway } from '../../src/server/index.ts'
import { turnsUntil } from '../scenarios/support/story.ts'

/*
 * What a service answers that is broken, or in somebody else's hands. Behind each request goes another over the same connection: what comes back is one answer each,
 * the second never a piece of the first, and what cannot be passed on is a problem that says whose it is.
 */

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const stolen = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen'
const body = (fields: string, text = 'hello', line = 'HTTP/1.1 200 OK'): string => `${line}\r\n${fields}\r\n${text}`

interface Row {
  readonly name: string
  readonly answer: string
  /** The status that the client gets; 0 where its connection breaks off in the middle of the answer. */
  readonly status: number
  readonly method?: string
  /** Whether the service closes the connection behind the answer. */
  readonly closes?: boolean
  /** What of the answer has to be there. */
  readonly has?: RegExp
  readonly fields?: string
}

const broken = (name: string, answer: string, status = 502): Row => ({ name, answer, status })

const rows: readonly Row[] = [
  broken('no HTTP at all', 'hello there\r\n\r\n'),
  broken('HTTP/0.9', '<html>hello</html>'),
  broken('another protocol', 'SSH-2.0-OpenSSH_9.6\r\n'),
  broken('a status of four digits', body('Content-Length: 5\r\n', 'hello', 'HTTP/1.1 2000 OK')),
  broken('a status of two digits', body('Content-Length: 5\r\n', 'hello', 'HTTP/1.1 20 OK')),
  broken('a status that is no number', body('Content-Length: 5\r\n', 'hello', 'HTTP/1.1 abc OK')),
  broken('a status below all', body('Content-Length: 5\r\n', 'hello', 'HTTP/1.1 000 OK')),
  broken('two lengths', body('Content-Length: 5\r\nContent-Length: 6\r\n')),
  broken('a list of lengths', body('Content-Length: 5, 6\r\n')),
  broken('a length that is no number', body('Content-Length: x\r\n')),
  broken('a length below zero', body('Content-Length: -5\r\n')),
  broken('a length and a coding', body('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${stolen}`)),
  broken('a coding and a length', body('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', `0\r\n\r\n${stolen}`)),
  broken('a coding that stays on the body', body('Transfer-Encoding: gzip, chunked\r\n', '5\r\nhello\r\n0\r\n\r\n')),
  broken('a head without end', `HTTP/1.1 200 OK\r\nx: ${'a'.repeat(70_000)}`),
  broken('a head that is too large', body(`x: ${'a'.repeat(70_000)}\r\nContent-Length: 5\r\n`)),
  broken('a bare LF in a value', body('x: a\nSet-Cookie: b=c\r\nContent-Length: 5\r\n')),
  broken('a bare CR in a value', body('x: a\rSet-Cookie: b=c\r\nContent-Length: 5\r\n')),
  broken('a null in a value', body('x: a\0b\r\nContent-Length: 5\r\n')),
  broken('a value that is folded', body('x: a\r\n b\r\nContent-Length: 5\r\n')),
  broken('a space in a name', body('x y: a\r\nContent-Length: 5\r\n')),
  broken('a space behind a name', body('Content-Length : 5\r\n')),
  broken('101 that nobody asked for', body('Connection: upgrade\r\nUpgrade: websocket\r\n', 'frames', 'HTTP/1.1 101 Switching Protocols')),
  { name: '101 to another protocol than was asked for', answer: body('Connection: upgrade\r\nUpgrade: h2c\r\n', 'frames', 'HTTP/1.1 101 Switching Protocols'), status: 502,
    fields: 'Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n' },
  { name: '101 that names no protocol', answer: body('Connection: upgrade\r\n', 'frames', 'HTTP/1.1 101 Switching Protocols'), status: 502,
    fields: 'Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n' },
  { name: 'an answer behind the answer', answer: `${body('Content-Length: 5\r\n')}${stolen}`, status: 200, has: /hello$/ },
  { name: 'an answer behind one without a body', answer: `HTTP/1.1 204 No Content\r\n\r\n${stolen}`, status: 204 },
  { name: '204 with a body', answer: `HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello`, status: 204 },
  { name: '304 with a body', answer: `HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello`, status: 304 },
  { name: 'HEAD with a body', answer: body('Content-Length: 5\r\n'), status: 200, method: 'HEAD' },
  { name: 'HEAD, and an answer behind', answer: `${body('Content-Length: 5\r\n', '')}${stolen}`, status: 200, method: 'HEAD' },
  { name: 'a body without a length', answer: body(''), status: 200, closes: true, has: /hello/ },
  { name: 'HTTP/1.0', answer: body('', 'hello', 'HTTP/1.0 200 OK'), status: 200, closes: true, has: /hello/ },
  { name: 'a body that is cut', answer: body('Content-Length: 10\r\n'), status: 0, closes: true },
  { name: 'chunks that are cut', answer: body('Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n'), status: 0, closes: true },
  { name: 'a chunk without a size', answer: body('Transfer-Encoding: chunked\r\n', 'x\r\nhello\r\n0\r\n\r\n'), status: 0 },
  { name: 'a reason with a script', answer: body('Content-Length: 5\r\n', 'hello', 'HTTP/1.1 200 \xe4\xff'), status: 200, has: /hello$/ },
  { name: 'a status that nobody knows', answer: body('Content-Length: 5\r\n', 'hello', 'HTTP/1.1 799 Odd'), status: 799, has: /hello$/ },
  { name: "the gateway's own field", answer: body('Enmesh-Error: ENMESH_CLOSED\r\nContent-Length: 5\r\n'), status: 200, has: /^(?!.*enmesh-error)/is },
  { name: 'the length as a field of the connection', answer: body('Connection: content-length\r\nContent-Length: 5\r\n'), status: 200, has: /hello/ },
  { name: 'names that objects have', answer: body('__proto__: a\r\nconstructor: b\r\nContent-Length: 5\r\n'), status: 200, has: /__proto__: a/ },
  { name: 'answers before the answer', answer: `${'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(3)}${ok}`, status: 200, has: /ok$/ },
]

describe('what is answered to hurt a gateway', () => {
  const sockets = new Set<Socket>()
  let answer: Pick<Row, 'answer' | 'closes'> = { answer: ok }
  const service = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket)).setEncoding('latin1')
    let unread = ''
    socket.on('data', (bytes: string) => {
      unread += bytes
      for (let at = unread.indexOf('\r\n\r\n'); at >= 0; at = unread.indexOf('\r\n\r\n')) {
        const odd = unread.includes(' /odd ')
        unread = unread.slice(at + 4)
        socket.write(odd ? answer.answer : ok, 'latin1')
        if (odd && answer.closes) socket.end()
      }
    })
  })
  let mesh: Mesh
  let gateway: Gateway
  let port = 0

  before(async () => {
    await once(service.listen(0, '127.0.0.1'), 'listening')
    const endpoint = `127.0.0.1:${(service.address() as AddressInfo).port}`
    mesh = createMesh({
      services: { 'svc.local': { cluster: 'svc', retry: false } },
      clusters: { svc: { registry: { type: 'static', endpoints: [endpoint] }, breaker: false, outlier: false } },
    })
    gateway = createGateway(mesh, [{ service: 'svc.local' }])
    await once(gateway.server.listen(0, '127.0.0.1'), 'listening')
    port = (gateway.server.address() as AddressInfo).port
  })

  after(async () => {
    await gateway.close()
    await mesh.close()
    service.close()
    for (const socket of sockets) socket.destroy()
  })

  /** All that comes back of one request over a connection that ends with it. */
  const ask = async (method: string, path: string, fields = 'Connection: close\r\n'): Promise<string> => {
    const socket = connect(port, '127.0.0.1').setEncoding('latin1').on('error', () => {})
    let came = ''
    socket.on('data', (text: string) => { came += text })
    socket.write(`${method} ${path} HTTP/1.1\r\nHost: shop.test\r\n${fields}\r\n`)
    await new Promise((resolve) => { socket.once('close', resolve) })
    return came
  }

  for (const row of rows) {
    test(row.name, async () => {
      answer = row
      const came = await ask(row.method ?? 'GET', '/odd', row.fields)
      const statuses = [...came.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status)).filter((status) => status >= 200 || status === 101)
      assert.ok(statuses.length <= 1, came)
      if (row.status > 0) assert.deepEqual(statuses, [row.status], came)
      else assert.doesNotMatch(came, /0\r\n\r\n$|hello.....$/, 'it must not look whole')
      if (row.status === 502) assert.match(came, /\r\nenmesh-error: ENMESH_\w+\r\n.*"code":"ENMESH_/s)
      assert.doesNotMatch(came, /stolen|frames/)
      if (row.has) assert.match(came, row.has)
      assert.match(await ask('GET', '/plain'), /^HTTP\/1\.1 200 OK\r\n.*\r\n\r\nok$/s, 'the next one gets its own answer')
      await turnsUntil(() => mesh.status().calls === 0, 'no call is left')
    })
  }
})
