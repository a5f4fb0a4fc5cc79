import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Observation } from './observe.ts'

/** What the shop hears of its services. */
export interface ServiceListener {
  observed(service: ServiceProcess, observation: Observation): void
  printed(service: ServiceProcess, line: string): void
  /** It ended, and nobody had asked it to. */
  died(service: ServiceProcess, how: string): void
}

const startLimit = 15_000
const stopLimit = 3_000

/** One service of the shop in a process of its own. It keeps its port when it is started again. */
export class ServiceProcess {
  readonly name: string
  readonly #file: string
  readonly #env: Record<string, string>
  readonly #listener: ServiceListener
  #port = 0
  #child: ChildProcess | undefined

  constructor(name: string, file: string, env: Record<string, string>, listener: ServiceListener) {
    this.name = name
    this.#file = fileURLToPath(new URL(`../${file}`, import.meta.url))
    this.#env = env
    this.#listener = listener
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`
  }

  /** Resolves when it listens. */
  async start(): Promise<void> {
    const observe = new URL('observe.ts', import.meta.url).href
    const child = fork(this.#file, {
      env: { ...process.env, ...this.#env, PORT: String(this.#port) },
      // The library's sources in place of its build, so that a fresh clone can be run at once.
      execArgv: ['--conditions=enmesh:source', '--import', observe],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.#child = child
    createInterface(child.stdout!).on('line', (line) => { this.#listener.printed(this, line) })
    child.stderr!.on('data', (data: Buffer) => { process.stderr.write(`${this.name}: ${data.toString()}`) })
    await new Promise<void>((resolve, reject) => {
      const limit = setTimeout(() => { reject(new Error(`${this.name} did not listen within ${startLimit} ms`)) }, startLimit)
      child.once('error', reject)
      child.once('exit', (code, signal) => {
        clearTimeout(limit)
        const how = `${this.name} ended unexpectedly (${signal ?? `exit code ${code}`})`
        reject(new Error(how))
        if (this.#child !== child) return
        this.#child = undefined
        this.#listener.died(this, how)
      })
      child.on('message', (message: Observation | { listening: number }) => {
        if ('event' in message) return this.#listener.observed(this, message)
        this.#port = message.listening
        clearTimeout(limit)
        resolve()
      })
    })
  }

  send(message: Record<string, number>): void {
    this.#child?.send(message)
  }

  /** Ends it with no chance to finish anything, as a crash of the machine would. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** Lets it finish what is under way; kills it if that takes too long. Resolves to whether it ended well by itself. */
  async stop(): Promise<boolean> {
    return await this.#end('SIGTERM') === 0
  }

  /** Resolves to the exit code; `undefined` when it had none. */
  async #end(signal: NodeJS.Signals): Promise<number | undefined> {
    const child = this.#child
    this.#child = undefined
    if (child?.exitCode !== null || child.signalCode !== null) return undefined
    // Not `exit`: by `close` all that it printed has been read too.
    const closed = once(child, 'close')
    child.kill(signal)
    const limit = setTimeout(() => { child.kill('SIGKILL') }, stopLimit)
    const [code] = await closed as [number | null]
    clearTimeout(limit)
    return code ?? undefined
  }
}
