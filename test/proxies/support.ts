import { createServer, request, type IncomingMessage, type ServerResponse, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { delimiter } from 'node:path'
import type { TestContext } from 'node:test'
import { startProxy, type RunnableProxy } from '../../bench/proxy-process.ts'
import { createMesh, type MeshInput } from '../../src/index.ts'
import { toHaproxy, toNginx, type ProxyOptions } from '../../src/proxies/index.ts'
import { portToKeep } from '../support/port.ts'
import { withoutTool } from '../support/tool.ts'

// Debian keeps them where only administrators look.
const path = [process.env['PATH'], '/usr/sbin', '/usr/local/sbin'].join(delimiter)

/** Why tests that run a proxy are left out; false where there is one. */
export const without: Readonly<Record<RunnableProxy, string | false>> = {
  haproxy: withoutTool('haproxy', 'apt-get install haproxy', path, '-v'),
  nginx: withoutTool('nginx', 'apt-get install nginx-light', path, '-v'),
}

export const runnable = ['haproxy', 'nginx'] as const

export const writers = { haproxy: toHaproxy, nginx: toNginx } as const

/** What an upstream says that it was asked. */
export interface Asked {
  readonly by: string
  readonly method: string
  readonly url: string
  readonly host: string
  readonly body: string
}

/** What came back. */
export interface Answer {
  readonly status: number
  readonly asked: Asked | undefined
}

const bodyOf = async (message: IncomingMessage): Promise<string> => {
  const parts: Buffer[] = []
  for await (const part of message) parts.push(part as Buffer)
  return Buffer.concat(parts).toString('latin1')
}

/** An upstream that says what it was asked, unless it is told to do something else. */
export class Upstream {
  readonly #server: Server
  readonly name: string
  port = 0
  requests = 0
  behave: (request: IncomingMessage, response: ServerResponse, tell: () => void) => void = (_, __, tell) => tell()

  private constructor(name: string) {
    this.name = name
    this.#server = createServer((request, response) => { void this.#serve(request, response) })
  }

  static async start(t: TestContext, name: string, port = 0): Promise<Upstream> {
    const upstream = new Upstream(name)
    await new Promise<void>((resolve) => { upstream.#server.listen(port, '127.0.0.1', resolve) })
    upstream.port = (upstream.#server.address() as AddressInfo).port
    t.after(() => upstream.stop())
    return upstream
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests++
    const body = await bodyOf(request)
    const { method = '', url = '', headers: { host = '' } } = request
    this.behave(request, response, () => response.end(JSON.stringify({ by: this.name, method, url, host, body } satisfies Asked)))
  }
}

/** One request, as a caller writes it. */
export interface Question {
  readonly method?: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** A way to the services. */
export type Way = (question: Question) => Promise<Answer>

const answerOf = (status: number, text: string): Answer => ({ status, asked: text.startsWith('{') ? JSON.parse(text) as Asked : undefined })

/** The way through a mesh. Where the mesh answers by itself the status is 0. */
export const throughMesh = (t: TestContext, config: MeshInput): Way => {
  const mesh = createMesh(config)
  t.after(() => mesh.close())
  return async ({ url, method = 'GET', headers = {}, body }) => {
    try {
      const response = await mesh.fetch(url, { method, headers, ...(body !== undefined && { body }) })
      return answerOf(response.status, await response.text())
    } catch {
      return { status: 0, asked: undefined }
    }
  }
}

/** A request to where the proxy listens, for the host of the URL. */
export const sendTo = (port: number, { url, method = 'GET', headers = {}, body }: Question): Promise<Answer> => new Promise((resolve, reject) => {
  const { host, pathname, search } = new URL(url)
  const sent = request({ port, host: '127.0.0.1', method, path: `${pathname}${search}`, headers: { host, ...headers }, agent: false }, (response) => {
    bodyOf(response).then((text) => resolve(answerOf(response.statusCode!, text)), reject)
  })
  sent.once('error', reject)
  sent.end(body)
})

/** The way through a proxy that runs with the configuration written for it. */
export const throughProxy = async (t: TestContext, proxy: RunnableProxy, config: MeshInput, options: ProxyOptions = {}): Promise<Way> => {
  const port = await portToKeep()
  const running = await startProxy(proxy, writers[proxy](config, { listen: `127.0.0.1:${port}`, ...options }).text, port)
  t.after(() => running.stop())
  return (question) => sendTo(port, question)
}
