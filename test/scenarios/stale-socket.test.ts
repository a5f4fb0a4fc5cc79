import assert from 'node:assert/strict'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { test } from 'node:test'
import { createMesh, MeshError } from '../../src/index.ts'

/**
 * Speaks HTTP with keep-alive, and closes an idle socket just as a request comes in on it, in every second case:
 * in turn politely and with a reset, since both happen.
 */
class RacingServer {
  readonly bodies: string[] = []
  races = 0
  #reused = 0
  readonly #sockets = new Set<Socket>()
  readonly #server: Server = createServer((socket) => this.#serve(socket))

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => { this.#server.listen(0, '127.0.0.1', resolve) })
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => {})
    let used = false
    let unread = ''
    socket.on('data', (chunk) => {
      unread += chunk.toString('latin1')
      const body = wholeBody(unread)
      if (body === undefined) return
      unread = ''
      if (body !== '') this.bodies.push(body)
      if (used && ++this.#reused % 2 === 0) return this.#race(socket)
      used = true
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nkeep-alive: timeout=60\r\n\r\nok')
    })
  }

  #race(socket: Socket): void {
    if (++this.races % 2 === 0) socket.end()
    else socket.resetAndDestroy()
  }
}

/** The body of a request that is there completely; empty for one without. */
const wholeBody = (text: string): string | undefined => {
  const [head, body] = text.split('\r\n\r\n')
  if (body === undefined) return undefined
  const length = Number(/^content-length: (\d+)/im.exec(head!)?.[1] ?? 0)
  return body.length < length ? undefined : body
}

const atOnce = 8

/** Sends so many requests, a few at once, so that sockets are reused. */
const send = async (count: number, one: (number: number) => Promise<void>): Promise<void> => {
  let begun = 0
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (begun < count) await one(begun++)
  }))
}

const meshOver = (address: string): ReturnType<typeof createMesh> => createMesh({ services: { 'racing.local': [address] } })

test('no GET fails while the server closes idle sockets under it', async (t) => {
  const server = new RacingServer()
  const mesh = meshOver(await server.listen())
  t.after(async () => { await mesh.close(); server.close() })
  const failures: unknown[] = []
  await send(1000, async () => {
    try {
      assert.equal(await (await mesh.fetch('http://racing.local/price')).text(), 'ok')
    } catch (error) {
      failures.push(error)
    }
  })
  assert.deepEqual(failures, [])
  assert.ok(server.races > 200, `only ${server.races} requests met a closing socket`)
})

test('a POST that meets a closing socket fails with ENMESH_CONNECTION_RESET and is never sent twice', async (t) => {
  const server = new RacingServer()
  const mesh = meshOver(await server.listen())
  t.after(async () => { await mesh.close(); server.close() })
  const errors: unknown[] = []
  await send(500, async (number) => {
    try {
      const response = await mesh.fetch('http://racing.local/orders', { method: 'POST', body: `order-${number}` })
      assert.equal(await response.text(), 'ok')
    } catch (error) {
      errors.push(error)
    }
  })
  const codes = new Set(errors.map((error) => error instanceof MeshError ? error.code : error))
  assert.deepEqual([...codes], ['ENMESH_CONNECTION_RESET'])
  assert.equal(errors.length, server.races, 'as many failures as races')
  assert.equal(server.bodies.length, 500, 'every body arrives')
  assert.equal(new Set(server.bodies).size, 500, 'and none of them twice')
})

test('an endpoint that dies in the middle of a head is no stale socket: it is counted, and not sent to again in secret', async (t) => {
  let requests = 0
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', () => {
      requests++
      socket.write('HTTP/1.1 200 OK\r\nconte', () => socket.destroy())
    })
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const mesh = createMesh({
    services: { 'half.local': { cluster: 'half', retry: false } },
    clusters: { half: { registry: { type: 'static', endpoints: [`127.0.0.1:${(server.address() as AddressInfo).port}`] } } },
  })
  await assert.rejects(mesh.fetch('http://half.local/'), { code: 'ENMESH_CONNECTION_RESET' })
  assert.equal(requests, 1)
  assert.equal(mesh.status().clusters['half']!.endpoints[0]!.failures, 1)
  await mesh.close()
})

for (const [what, bytes] of [['garbage', 'HELLO WORLD\r\n\r\n'], ['nothing', ''], ['half a head', 'HTTP/1.1 200 OK\r\nconte']] as const) {
  test(`an endpoint that answers each new connection with ${what} fails each time, and no request is sent to it twice`, async (t) => {
    let requests = 0
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => {
        requests++
        socket.end(bytes)
      })
    })
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
    const mesh = createMesh({
      services: { 'mute.local': { cluster: 'mute', retry: false } },
      clusters: { mute: { registry: { type: 'static', endpoints: [`127.0.0.1:${(server.address() as AddressInfo).port}`] } } },
    })
    t.after(async () => { await mesh.close(); server.close() })
    for (let asked = 1; asked <= 3; asked++) {
      await assert.rejects(mesh.fetch('http://mute.local/'), { code: 'ENMESH_CONNECTION_RESET' })
      assert.deepEqual([requests, mesh.status().clusters['mute']!.endpoints[0]!.failures], [asked, asked])
    }
  })
}

for (const [what, bytes] of [['garbage', 'HELLO WORLD\r\n\r\n'], ['half a head', 'HTTP/1.1 200 OK\r\nconte']] as const) {
  test(`a used socket that brings ${what} and dies was not stale: it is counted, and not sent to again in secret`, async (t) => {
    let requests = 0
    let sockets = 0
    const server = createServer((socket) => {
      sockets++
      socket.on('error', () => {})
      socket.on('data', () => {
        if (++requests === 1) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nkeep-alive: timeout=60\r\n\r\nok')
        else socket.end(bytes)
      })
    })
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
    const mesh = createMesh({
      services: { 'mute.local': { cluster: 'mute', retry: false } },
      clusters: { mute: { registry: { type: 'static', endpoints: [`127.0.0.1:${(server.address() as AddressInfo).port}`] }, connections: 1 } },
    })
    t.after(async () => { await mesh.close(); server.close() })
    assert.equal(await (await mesh.fetch('http://mute.local/')).text(), 'ok')
    await assert.rejects(mesh.fetch('http://mute.local/'), { code: 'ENMESH_CONNECTION_RESET' })
    assert.deepEqual([sockets, requests, mesh.status().clusters['mute']!.endpoints[0]!.failures], [1, 2, 1])
  })
}
