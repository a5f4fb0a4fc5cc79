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

test(`${requests} requests through a gateway, with aborts, slow readers, slow writers and upgrades, leave nothing behind`, async (t) => {
  const before = process.getActiveResourcesInfo().length
  const upstream = createServer(service).on('upgrade', (request, socket) => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
    if (request.url === '/bye') socket.end('bye')
    else socket.pipe(socket)
  })
  await once(upstream.listen(0, '127.0.0.1'), 'listening')
  const clock = new CountingClock()
  const endpoint = `127.0.0.1:${(upstream.address() as AddressInfo).port}`
  const mesh = createMesh({
    services: { 'svc.local': { cluster: 'svc' } }, clusters: { svc: { registry: { type: 'static', endpoints: [endpoint] }, breaker: false, outlier: false } },
  }, { runtime: { clock, random: seededRandom(9), channels: new Channels() } })
  const gateway = createGateway(mesh, { routes: [{ match: { path: { regex: '/[a-m].*|/[o-z].*|/' } }, service: 'svc.local' }], headersTimeout: '1s' })
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
  assert.ok(failed < requests * 0.1, 'more failed than should')

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

  collectGarbage()
  const half = memory.length >> 1
  const [first, second] = [median(memory.slice(2, half)), median(memory.slice(half))]
  t.diagnostic(`heap: ${(first / 2 ** 20).toFixed(1)} MiB in the first half, ${(second / 2 ** 20).toFixed(1)} MiB in the second`)
  assert.ok(second < first * 1.2 + 2 * 2 ** 20, 'memory grows')
})
