import { spawn, type ChildProcess } from 'node:child_process'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Upstream } from '../scenarios/support/upstream.ts'

/** The file that `enmesh/register` stands for. */
export const door = new URL('../../src/register/index.ts', import.meta.url).href

/** One of the applications beside this file. */
export const app = (name: string): string => fileURLToPath(new URL(`apps/${name}`, import.meta.url))

/** An application under way, with what it has said so far. */
export class Running {
  readonly #child: ChildProcess
  readonly ended: Promise<number | null>
  stdout = ''
  stderr = ''
  readonly #waiting = new Set<() => void>()

  constructor(child: ChildProcess) {
    this.#child = child
    this.ended = new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code) => {
        resolve(code)
        this.#changed()
      })
    })
    child.stdout!.on('data', (chunk) => { this.stdout += chunk; this.#changed() })
    child.stderr!.on('data', (chunk) => { this.stderr += chunk; this.#changed() })
  }

  /** Writes a line to its stdin; `end` closes that. */
  tell(line: string): void {
    this.#child.stdin!.write(`${line}\n`)
  }

  end(): void {
    this.#child.stdin!.end()
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  /** Resolves when it has said something; rejects when it ends without. */
  async said(stream: 'stdout' | 'stderr', what: string | RegExp): Promise<void> {
    const heard = (): boolean => typeof what === 'string' ? this[stream].includes(what) : what.test(this[stream])
    while (!heard()) {
      if (this.#child.exitCode !== null) throw new Error(`it ended with ${this.#child.exitCode} and never said ${what}: ${this.stdout}${this.stderr}`)
      await new Promise<void>((resolve) => { this.#waiting.add(resolve) })
    }
  }

  #changed(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const resolve of waiting) resolve()
  }
}

/** What a test runs an application with. */
export interface RunOptions {
  /** Arguments of Node before the application; `--import` of the door by default. */
  readonly node?: readonly string[]
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

const longestRun = 30_000

/** Starts an application, by its path, in a process of its own that ends with the test. */
export const start = (t: TestContext, path: string, { node = ['--import', door], args = [], env = {}, cwd }: RunOptions = {}): Running => {
  // It must not report to the runner of this test, and inherits nothing that would mesh it.
  const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ENMESH_CONFIG: ___, ENMESH_QUIET: ____, ...rest } = process.env
  const child = spawn(process.execPath, [...node, path, ...args], {
    cwd, env: { ...rest, ...env }, stdio: ['pipe', 'pipe', 'pipe'], timeout: longestRun, killSignal: 'SIGKILL',
  })
  const running = new Running(child)
  t.after(() => running.kill())
  return running
}

/** Runs an application to its end. */
export const run = async (t: TestContext, path: string, options?: RunOptions): Promise<{ readonly code: number | null, readonly stdout: string, readonly stderr: string }> => {
  const running = start(t, path, options)
  running.end()
  const code = await running.ended
  return { code, stdout: running.stdout, stderr: running.stderr }
}

/** A server that lives as long as the test. */
export const upstream = async (t: TestContext, answer: RequestListener): Promise<Upstream> => {
  const server = await new Upstream(answer).start()
  t.after(() => server.kill())
  return server
}

/** Answers with a word and what was asked. */
export const echoes = (word: string): RequestListener => (request, response) => {
  request.resume()
  response.end(`${word} ${request.method} ${request.headers.host}${request.url}`)
}

/** A proxy that answers whatever is sent through it by itself, tunnelled or not; it says what was asked of which host. */
export const proxyServer = async (t: TestContext): Promise<{ readonly url: string }> => {
  const server = createServer((request, response) => {
    request.resume()
    response.end(`proxied ${request.method} ${request.headers.host}${request.url?.replace(/^http:\/\/[^/]+/, '')}`)
  })
  server.on('connect', (_, socket: Socket) => {
    socket.write('HTTP/1.1 200 connected\r\n\r\n')
    server.emit('connection', socket)
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(() => new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  }))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}
