/**
 * A service that behaves as badly as its caller asks for by path, in a process of its own,
 * so that what is left over in the process under test is the mesh's. Listens as often as its argument says.
 * Any message asks it how many sockets are open to it: the mesh's own process does not show sockets that are idle.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Server } from 'node:net'

type Behaviour = (request: IncomingMessage, response: ServerResponse) => void

const big = Buffer.alloc(256 * 1024, 'x')

const behaviours: Readonly<Record<string, Behaviour>> = {
  '/ok': (_, response) => { response.setHeader('content-type', 'application/json').end('{"ok":true}') },
  '/big': (_, response) => { response.end(big) },
  '/error': (_, response) => { response.writeHead(500).end('broken') },
  '/unavailable': (_, response) => { response.writeHead(503).end('not now') },
  '/reset': ({ socket }) => { socket.resetAndDestroy() },
  '/half': (_, response) => {
    response.writeHead(200, { 'content-length': 1000 })
    response.write('half', () => response.destroy())
  },
  '/slow': (_, response) => { setTimeout(() => response.end('at last'), 250) },
  '/echo': (request, response) => { request.pipe(response) },
}

const listen = async (): Promise<Server> => {
  const server = createServer((request, response) => {
    response.on('error', () => {})
    const behave = behaviours[request.url ?? '']
    if (behave) behave(request, response)
    else response.writeHead(404).end()
  })
  // Shorter than the mesh keeps its idle sockets: some die in its hands.
  server.keepAliveTimeout = 3_000
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  return server
}

const openSockets = (server: Server): Promise<number> => new Promise((resolve, reject) => {
  server.getConnections((error, count) => { if (error) reject(error); else resolve(count) })
})

const servers = await Promise.all(Array.from({ length: Number(process.argv[2]) }, listen))
process.send!(servers.map((server) => (server.address() as AddressInfo).port))
process.on('message', () => {
  void Promise.all(servers.map(openSockets)).then((counts) => process.send!(counts.reduce((sum, count) => sum + count, 0)))
})
process.once('disconnect', () => process.exit())
