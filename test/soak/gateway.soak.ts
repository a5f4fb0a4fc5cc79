import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, createServer, request as ask, type ClientRequest, type IncomingMessage, type RequestListener, type RequestOptions } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises'
import { createMesh, type Mesh } from '../../src/index.ts'
import { Channels } from '../../src/runtime/channels.ts'
import { createGateway } from '../../src/server/index.ts'
import { seededRandom } from '../../src/testing/random.ts'
import { CountingClock } from './support/counting-clock.ts'
import { soakSeconds } from './support/duration.ts'
import { collectGarbage, heldMemory, median } from './support/memory.ts'

const requests = Math.min(10_000, soakSeconds * 200)
const inFlight = 48
const samples = 20
const big = Buffer.alloc(256 * 1024, 'x')

const service: RequestListener = (request, response) => {
  const { url } = request
  response.on('error', () => {})
  if (url === '/slow') return void setTimeout(() => response.end('slow'), 200).unref()
  if (url === '/reset') return void request.socket.destroy()
  if (url === '/half') return void response.write('half', () => response.destroy())
  if (url === '/big') return void response.end(big)
  if (url === '/early') return void response.writeHead(401).end('no')
  if (url === '/die') return void request.on('error', () => {}).once('data', () => request.socket.destroy())
  if (url === '/hints') {
    for (let i = 0; i < 5; i++) response.writeEarlyHints({ link: '</a.css>; rel=preload' })
    return void response.end('hinted')
  }
  if (url === '/echo') return void request.on('error', () => {}).pipe(response)
  response.end('ok')
}

/** One request as a client makes it; rejects with whatever came in between. */
type Deed = (port: number, agent: Agent) => Promise<unknown>

const send = (port: number, agent: Agent, path: string, options: RequestOptions = {}): ClientRequest => ask({ port, path, agent, ...options })
const answered = async (sent: ClientRequest): Promise<IncomingMessage> => (await once(sent, 'response') as [IncomingMessage])[0]
const read = (path: string): Deed => async (port, agent) => text(await answered(send(port, agent, path).end()))

const upgraded = async (port: number, path = '/'): Promise<Socket> => {
  const sent = ask({ port, path, agent: false, headers: { connection: 'upgrade', upgrade: 'websocket' } }).end()
  return (await once(sent, 'upgrade') as [IncomingMessage, Socket])[1]
}

const bytes = (...parts: readonly string[]): Deed => async (port) => {
  const socket = connect(port, '127.0.0.1')
  for (const part of parts) {
    socket.write(part)
    await turn()
  }
  return socket
}

type Then = 'data' | 'end' | 'destroy' | 'reset' | 'stay'

/** Says something over a connection of its own, then waits for a word, ends its part or breaks off; resolves when the connection is over. */
const said = (what: string, then: readonly Then[]): Deed => async (port) => {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => {}).on('end', () => socket.end())
  const over = new Promise((resolve) => { socket.once('close', resolve) })
  socket.write(what)
  for (const step of then) {
    if (step === 'data') await Promise.race([once(socket, 'data'), over])
    if (step === 'end') socket.end()
    if (step === 'destroy') socket.destroy()
    if (step === 'reset') socket.resetAndDestroy()
  }
  socket.resume()
  return over
}

const deeds: readonly (readonly [number, Deed])[] = [
  [30, read('/ok')],
  [6, read('/big')],
  [4, read('/none')],
  [4, read('/reset')],
  [3, read('/half')],
  [10, async (port, agent) => text(await answered(send(port, agent, '/echo', { method: 'POST' }).end(big)))],
  [4, async (port, agent) => text(await answered(send(port, agent, '/early', { method: 'POST' }).end(big)))],
  [6, async (port, agent) => {                                                    // gives up before the answer
    const sent = send(port, agent, '/slow').on('error', () => {}).end()
    await turn()
    sent.destroy()
  }],
  [6, async (port, agent) => { (await answered(send(port, agent, '/big').end())).destroy() }],
  [5, async (port, agent) => {                                                    // reads slowly
    for await (const chunk of await answered(send(port, agent, '/big').end())) for (let i = 0; i < (chunk as Buffer).length / 16_384; i++) await turn()
  }],
  [5, async (port, agent) => {                                                    // writes slowly
    const sent = send(port, agent, '/echo', { method: 'PUT' })
    const answer = answered(sent)
    for (let i = 0; i < 10; i++) {
      sent.write('piece')
      await turn()
    }
    sent.end()
    return text(await answer)
  }],
  [4, async (port, agent) => {                                                    // gives up while it writes
    const sent = send(port, agent, '/echo', { method: 'PUT', headers: { 'content-length': '1000' } }).on('error', () => {})
    sent.write('half')
    await turn()
    sent.destroy()
  }],
  [4, async (port) => {
    const socket = await upgraded(port)
    socket.write('hello')
    await once(socket, 'data')
    socket.end()
    await once(socket.resume(), 'close')
  }],
  [2, async (port) => { (await upgraded(port)).destroy() }],
  [1, async (port) => once((await upgraded(port, '/bye')).resume(), 'close')],
  [2, async (port, agent) => {
    const sent = send(port, agent, '/echo', { method: 'PUT', headers: { 'expect': '100-continue', 'content-length': '5' } })
    sent.flushHeaders()
    await once(sent, 'continue')
    sent.end('hello')
    return text(await answered(sent))
  }],
  [2, async (port) => {                                                           // both ends of an upgraded connection are cut
    const socket = await upgraded(port, '/cut')
    socket.on('error', () => {}).resetAndDestroy()
  }],
  [1, async (port) => {                                                           // and one says its last word
    const socket = await upgraded(port)
    socket.end('last')
    await text(socket)
  }],
  [3, said('GET /ok HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', ['end'])],                      // closed in one direction, and still answered
  [2, said('PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\nhalf', ['end'])],
  [2, said('PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n', ['end'])],
  [2, said('PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n', ['data', 'destroy'])],     // asks for a word, and goes
  [2, said('PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\nExpect: 100-continue\r\n\r\n', ['data', 'end'])],
  [2, said(`PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n${'x'.repeat(200_000)}`, ['data', 'reset'])],       // cuts its upload, and does not read
  [2, said('GET /big HTTP/1.1\r\nHost: a\r\n\r\n', ['data', 'reset'])],
  [1, said('GET /ok HTTP/1.1\r\nHost', ['stay'])],                                                      // says its head and its body too slowly
  [1, said('PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nha', ['stay'])],
  [3, said(`${'GET /ok HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(3)}PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nfourGET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`, ['stay'])],
  [1, said('GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /%zz HTTP/1.1\r\nHost: a\r\n\r\n', ['stay'])],
  [2, async (port, agent) => text(await answered(send(port, agent, '/die', { method: 'POST' }).end(big)))],
  [2, read('/hints')],
  [1, async (...way) => (await bytes('GET /nonsense\r\n')(...way) as Socket).resume()],
  [1, async (...way) => (await bytes('GET /ok HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(5), '')(...way) as Socket).destroy()],
  [1, async (...way) => (await bytes('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(5), '', '')(...way) as Socket).destroy()],
  [1, async (...way) => (await bytes('POST /echo HTTP/1.1\r\nHost: a\r\nContent-Le')(...way) as Socket).destroy()],
]

const drawn = (random: () => number): Deed => {
  let mark = random() * deeds.reduce((sum, [share]) => sum + share, 0)
  return deeds.find(([share]) => (mark -= share) < 0)![1]
}

const eventually = async (ms: number, holds: () => boolean | Promise<boolean>): Promise<void> => {
  for (const end = Date.now() + ms; !await holds() && Date.now() < end;) await delay(20)
}

const busy = (mesh: Mesh): number => {
  const { calls, clusters } = mesh.status()
  return calls + Object.values(clusters).reduce((sum, { active, pending }) => sum + active + pending, 0)
}

test(`${requests} requests through a gateway, with aborts, halves, slow readers, slow writers, cut uploads, pipelines and upgrades, leave nothing behind`, async (t) => {
  const before = process.getActiveResourcesInfo().length
  const upstream = createServer(service).on('upgrade', (request, socket) => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
    if (request.url === '/bye') socket.end('bye')
    else if (request.url === '/cut') socket.destroy()
    else socket.pipe(socket)
  })
  await once(upstream.listen(0, '127.0.0.1'), 'listening')
  const clock = new CountingClock()
  const endpoint = `127.0.0.1:${(upstream.address() as AddressInfo).port}`
  const mesh = createMesh({
    services: { 'svc.local': { cluster: 'svc' } }, clusters: { svc: { registry: { type: 'static', endpoints: [endpoint] }, breaker: false, outlier: false } },
  }, { runtime: { clock, random: seededRandom(9), channels: new Channels() } })
  const gateway = createGateway(mesh, { routes: [{ match: { path: { regex: '/[a-m].*|/[o-z].*|/' } }, service: 'svc.local' }], headersTimeout: '1s', requestTimeout: '2s', stallTimeout: '2s' })
  const warnings: string[] = []
  const warned = (warning: Error): void => { warnings.push(String(warning)) }
  process.on('warning', warned)
  await once(gateway.server.listen(0, '127.0.0.1'), 'listening')
  const { port } = gateway.server.address() as AddressInfo
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight })

  const random = seededRandom(8)
  const memory: number[] = []
  let begun = 0
  let failed = 0
  await Promise.all(Array.from({ length: inFlight }, async () => {
    while (begun < requests) {
      if (++begun % Math.floor(requests / samples) === 0) memory.push(heldMemory())
      await drawn(random)(port, agent).catch(() => { failed++ })
    }
  }))
  t.diagnostic(`${failed} broke off`)
  assert.ok(failed < requests * 0.15, 'more failed than should')

  await eventually(5_000, () => busy(mesh) === 0)
  assert.equal(busy(mesh), 0, 'what is in flight after all requests are over')
  agent.destroy()
  const connections = (): Promise<number> => new Promise((resolve) => { gateway.server.getConnections((_, count) => resolve(count)) })
  await eventually(5_000, async () => await connections() === 0)
  assert.equal(await connections(), 0, 'connections to the gateway')
  await gateway.close()
  await mesh.close()
  assert.equal(clock.pending, 0, 'timers left after close')
  upstream.close()
  upstream.closeAllConnections()
  await eventually(2_000, () => process.getActiveResourcesInfo().length <= before)
  assert.ok(process.getActiveResourcesInfo().length <= before, `handles left: ${process.getActiveResourcesInfo().join(', ')}`)

  process.off('warning', warned)
  assert.deepEqual(warnings, [], 'listeners pile up')

  collectGarbage()
  const half = memory.length >> 1
  const [first, second] = [median(memory.slice(2, half)), median(memory.slice(half))]
  t.diagnostic(`heap: ${(first / 2 ** 20).toFixed(1)} MiB in the first half, ${(second / 2 ** 20).toFixed(1)} MiB in the second`)
  assert.ok(second < first * 1.2 + 2 * 2 ** 20, 'memory grows')
})
