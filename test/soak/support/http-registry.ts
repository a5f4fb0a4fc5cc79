import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { portToKeep } from '../../support/port.ts'

/** Answers a request with the addresses that are listed. */
export type Answer = (request: IncomingMessage, response: ServerResponse, registry: HttpRegistry) => void

/** A server in front of a list of addresses that can be killed, and answer garbage, nothing, or late. Keeps its port. */
export class HttpRegistry {
  /** What it answers with in place of the truth. */
  trouble: 'garbage' | 'empty' | undefined
  /** Milliseconds that it lets every question wait. */
  late = 0
  /** Counts the changes of what it says. */
  version = 1
  /** Those who wait for a change. */
  readonly waiting = new Set<() => void>()
  readonly #server = createServer((request, response) => this.#take(request, response))
  readonly #answer: Answer
  #addresses: readonly string[]
  readonly #port: number

  private constructor(port: number, addresses: readonly string[], answer: Answer) {
    this.#port = port
    this.#addresses = addresses
    this.#answer = answer
  }

  static async start(addresses: readonly string[], answer: Answer): Promise<HttpRegistry> {
    const registry = new HttpRegistry(await portToKeep(), addresses, answer)
    await registry.listen()
    return registry
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** What it says at present. */
  get addresses(): readonly string[] {
    return this.trouble === 'empty' ? [] : this.#addresses
  }

  list(addresses: readonly string[]): void {
    this.#addresses = addresses
    this.changed()
  }

  /** Tells all who wait. */
  changed(): void {
    this.version++
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const tell of waiting) tell()
  }

  async listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  async kill(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.cut()
    await closed
  }

  /** Cuts every connection, and forgets who waits. */
  cut(): void {
    this.waiting.clear()
    this.#server.closeAllConnections()
  }

  async close(): Promise<void> {
    if (this.#server.listening) await this.kill()
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    request.resume()
    response.on('error', () => {})
    if (this.late > 0) setTimeout(() => this.#say(request, response), this.late).unref()
    else this.#say(request, response)
  }

  #say(request: IncomingMessage, response: ServerResponse): void {
    if (response.destroyed) return
    if (this.trouble === 'garbage') response.end('<html>\u0000\ufffd 42')
    else this.#answer(request, response, this)
  }
}

const split = (address: string): readonly [host: string, port: number] => {
  const at = address.lastIndexOf(':')
  return [address.slice(0, at), Number(address.slice(at + 1))]
}

/** As an agent of Consul answers: a question that knows the index of now is held until it moves. */
export const asConsul: Answer = (request, response, registry) => {
  const answer = (): void => {
    response.setHeader('x-consul-index', registry.version)
    response.end(JSON.stringify(registry.addresses.map((address) => {
      const [Address, Port] = split(address)
      return { Node: { Node: 'n', Address }, Service: { ID: address, Address, Port } }
    })))
  }
  if (new URL(request.url!, registry.url).searchParams.get('index') === String(registry.version)) registry.waiting.add(answer)
  else answer()
}

/** As Eureka answers when it keeps no changes. */
export const asEureka: Answer = (request, response, { addresses }) => {
  if (request.url!.endsWith('/delta')) return void response.writeHead(403).end()
  const instance = addresses.map((address) => {
    const [hostName, port] = split(address)
    return { instanceId: address, hostName, app: 'SHOP', status: 'UP', port: { '$': port, '@enabled': 'true' } }
  })
  response.end(JSON.stringify({ applications: { apps__hashcode: `UP_${instance.length}_`, application: [{ name: 'SHOP', instance }] } }))
}

/** As the API server of Kubernetes answers: a list, and a watch that tells of each change. One slice for each port, as the ports differ. */
export const asKubernetes: Answer = (request, response, registry) => {
  const slices = () => registry.addresses.map((address) => {
    const [host, port] = split(address)
    return {
      metadata: { name: `slice-${port}`, uid: `uid-${port}`, resourceVersion: String(registry.version) },
      addressType: 'IPv4', endpoints: [{ addresses: [host], conditions: { ready: true } }], ports: [{ port, protocol: 'TCP' }],
    }
  })
  const { searchParams } = new URL(request.url!, registry.url)
  if (!searchParams.has('watch')) {
    return void response.end(JSON.stringify({ metadata: { resourceVersion: String(registry.version) }, items: slices() }))
  }
  if (searchParams.get('resourceVersion') !== String(registry.version)) {
    return void response.writeHead(410).end(JSON.stringify({ kind: 'Status', code: 410 }))
  }
  response.writeHead(200)
  response.flushHeaders()
  // A watch from here on is one of a version that is forgotten, after which everything is listed again.
  registry.waiting.add(() => {
    response.end(`${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410, message: 'too old resource version' } })}\n`)
  })
}
