/**
 * Shows a library at work: has it ask the service `pricing.local`, one instance of which is always busy.
 *
 *     node --conditions=enmesh:source examples/with/run.ts axios
 */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createMesh, type Mesh } from 'enmesh'

/** What each file beside this one exports. */
interface Example {
  readonly ask: (mesh: Mesh) => Promise<unknown>
  /** What pricing answers, where it is not JSON. */
  readonly answer?: string
}

const name = process.argv[2] ?? 'axios'
const { ask, answer = '{"price":42}' } = await import(`./${name}.ts`) as Example

const says = (status: number, text: string): RequestListener => (request, response) => {
  request.resume()
  response.writeHead(status, { 'content-type': text.startsWith('<') ? 'application/xml' : 'application/json' }).end(text)
}

const servers = [says(503, ''), says(200, answer)].map((listener) => createServer(listener).listen(0, '127.0.0.1'))
await Promise.all(servers.map((server) => once(server, 'listening')))
const mesh = createMesh({
  services: { 'pricing.local': { cluster: 'pricing' } },
  clusters: {
    pricing: {
      registry: { type: 'static', endpoints: servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`) },
      balancer: { type: 'round-robin' },
    },
  },
})
mesh.on('retry', ({ service, reason }) => console.log(`${service}: ${reason}, at another endpoint`))
for (let call = 1; call <= 2; call++) console.log(await ask(mesh))
await mesh.close()
for (const server of servers) {
  server.close()
  server.closeAllConnections()
}
