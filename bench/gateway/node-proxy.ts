/** The least that a proxy by `node:http` does, in a process of its own: no checks, no limits, nothing about faults. Its argument is the port of the service; it sends its own to its parent. */
import { Agent, createServer, request as ask } from 'node:http'
import type { AddressInfo } from 'node:net'

const agent = new Agent({ keepAlive: true, maxSockets: 128 })
const port = Number(process.argv[2])

const server = createServer((request, response) => {
  const headers = {
    ...request.headers, 'host': 'svc.local', 'x-forwarded-for': request.socket.remoteAddress, 'x-forwarded-proto': 'http', 'x-forwarded-host': request.headers.host,
    'x-request-id': crypto.randomUUID(),
  }
  const passed = ask({ agent, host: '127.0.0.1', port, method: request.method, path: request.url!.slice('/shop'.length), headers }, (answer) => {
    response.writeHead(answer.statusCode!, answer.rawHeaders)
    answer.pipe(response)
  })
  passed.on('error', () => response.destroy())
  request.pipe(passed)
})
server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port))
process.once('disconnect', () => process.exit())
