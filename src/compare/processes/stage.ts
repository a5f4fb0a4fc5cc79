import { fork, spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pause } from '../load.ts'
import { startKeeper, type Keeper } from './keeper.ts'
import type { Handlers, Question, Reply } from './worker.ts'

/** A process of ours that is asked for things. */
export interface Worker<Known extends Handlers> {
  readonly pid: number
  /** Resolves with the answer; rejects with what went wrong there, or when the process ends before. */
  ask<Name extends keyof Known & string>(name: Name, ...argument: Parameters<Known[Name]>): Promise<Awaited<ReturnType<Known[Name]>>>
  /** Ends it at once, as a crash would. Resolves when it is gone. */
  kill(): Promise<void>
  /** Lets it end. Resolves when it is gone. */
  stop(): Promise<void>
}

/** A program that is not ours. */
export interface Program {
  readonly pid: number
  /** What it wrote to its stderr and stdout so far, the last 4 000 characters. */
  readonly said: () => string
  readonly gone: () => boolean
  signal(signal: NodeJS.Signals): void
  /** Ends it, by force where it does not go within 2 s. Resolves when it is gone. */
  stop(): Promise<void>
}

// Compiled, modules have another ending.
const ending = import.meta.url.slice(import.meta.url.lastIndexOf('.'))

/** The URL of a module of this folder's parent, without its ending: `'processes/client-process'`. */
export const moduleOf = (path: string): string => new URL(`../${path}${ending}`, import.meta.url).href

/** Debian keeps servers where only root looks. */
export const serverPath = `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin`

const goneOf = (child: ChildProcess): Promise<void> => new Promise((resolve) => {
  if (child.exitCode !== null || child.signalCode !== null) return resolve()
  child.once('exit', () => resolve()).once('error', () => resolve())
})

const isGone = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null || child.pid === undefined

/** Ends a process, by force where it does not go within 2 s. */
const end = async (child: ChildProcess, ask: () => void): Promise<void> => {
  if (isGone(child)) return
  const gone = goneOf(child)
  ask()
  if (await Promise.race([gone.then(() => true), pause(2_000).then(() => false)])) return
  child.kill('SIGKILL')
  await gone
}

class ForkedWorker<Known extends Handlers> implements Worker<Known> {
  readonly #child: ChildProcess
  readonly #open = new Map<number, { readonly resolve: (value: unknown) => void, readonly reject: (error: Error) => void }>()
  readonly ready: Promise<void>
  #last = 0

  constructor(child: ChildProcess, name: string) {
    this.#child = child
    this.ready = new Promise((resolve, reject) => { this.#open.set(0, { resolve: () => resolve(), reject }) })
    child.on('message', ({ id, value, error }: Reply) => {
      const waiting = this.#open.get(id)
      this.#open.delete(id)
      if (error === undefined) waiting?.resolve(value)
      else waiting?.reject(new Error(error))
    })
    const fail = (how: string): void => {
      const error = new Error(`The process '${name}' ${how} before it answered`)
      for (const { reject } of this.#open.values()) reject(error)
      this.#open.clear()
    }
    child.once('exit', (code, signal) => fail(`ended (${signal ?? code ?? ''})`))
    child.once('error', (error) => fail(`failed (${error.message})`))
  }

  get pid(): number { return this.#child.pid! }

  ask<Name extends keyof Known & string>(name: Name, ...[argument]: Parameters<Known[Name]>): Promise<Awaited<ReturnType<Known[Name]>>> {
    return new Promise((resolve, reject) => {
      if (isGone(this.#child)) return reject(new Error(`The process was asked for '${name}' after its end`))
      const id = ++this.#last
      this.#open.set(id, { resolve: resolve as (value: unknown) => void, reject })
      this.#child.send({ id, ask: name, argument } satisfies Question, (error) => {
        if (error) reject(error)
      })
    })
  }

  async kill(): Promise<void> {
    const gone = goneOf(this.#child)
    this.#child.kill('SIGKILL')
    await gone
  }

  stop(): Promise<void> {
    return end(this.#child, () => { if (this.#child.connected) this.#child.disconnect() })
  }
}

/** The processes and directories of a comparison: whatever happens, they are gone when it is over. */
export class Stage {
  readonly #children = new Set<ChildProcess>()
  readonly #programs = new Set<number>()
  #home: { readonly directory: string, readonly keeper: Keeper } | undefined
  #over = false
  readonly #swept = (): void => this.#sweep()

  constructor() {
    process.once('exit', this.#swept)
  }

  /** Starts one of our processes by its module, without ending: `'processes/client-process'`. Resolves once it listens to questions. */
  async worker<Known extends Handlers>(module: string, ...args: readonly string[]): Promise<Worker<Known>> {
    this.#refuseWhenOver()
    const child = this.#keep(fork(new URL(module.startsWith('file:') ? module : moduleOf(module)), args, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: [...process.execArgv, '--expose-gc'],
    }))
    const worker = new ForkedWorker<Known>(child, module.split('/').at(-1)!)
    await worker.ready
    return worker
  }

  /** Starts a program. */
  program(command: string, args: readonly string[]): Program {
    this.#refuseWhenOver()
    const child = this.#keep(spawn(command, args, { env: { ...process.env, PATH: serverPath }, stdio: ['ignore', 'pipe', 'pipe'] }))
    if (child.pid !== undefined) this.#guard(child, child.pid)
    let said = ''
    const hear = (text: string): void => { said = (said + text).slice(-4_000) }
    child.stdout.setEncoding('utf8').on('data', hear)
    child.stderr.setEncoding('utf8').on('data', hear)
    child.once('error', (error) => hear(error.message))
    return {
      pid: child.pid ?? 0,
      said: () => said,
      gone: () => isGone(child),
      signal: (signal) => { child.kill(signal) },
      stop: () => end(child, () => { child.kill('SIGTERM') }),
    }
  }

  /** Makes a directory that is gone when the comparison is over. */
  directory(): string {
    this.#refuseWhenOver()
    const directory = mkdtempSync(join(this.#atHome().directory, 'part-'))
    chmodSync(directory, 0o755)
    return directory
  }

  #atHome(): { readonly directory: string, readonly keeper: Keeper } {
    if (this.#home) return this.#home
    const directory = mkdtempSync(join(tmpdir(), 'enmesh-compare-'))
    // Workers of nginx are nobody in particular.
    chmodSync(directory, 0o755)
    return this.#home = { directory, keeper: startKeeper(directory) }
  }

  /** Programs that are not ours don't notice that this process is gone. */
  #guard(child: ChildProcess, pid: number): void {
    const { keeper } = this.#atHome()
    const tell = (): void => keeper.keep([...this.#programs])
    this.#programs.add(pid)
    tell()
    child.once('exit', () => {
      this.#programs.delete(pid)
      if (!this.#over) tell()
    })
  }

  /** What is started while all ends would be left. */
  #refuseWhenOver(): void {
    if (this.#over) throw new Error('The comparison is over: nothing more is started')
  }

  /** Ends all processes, and removes all directories. */
  async close(): Promise<void> {
    this.#over = true
    await Promise.all([...this.#children].map((child) => end(child, () => {
      if (child.connected) child.disconnect()
      else child.kill('SIGTERM')
    })))
    this.#home?.keeper.keep([])
    await this.#home?.keeper.end()
    this.#sweep()
    process.off('exit', this.#swept)
  }

  #keep<Child extends ChildProcess>(child: Child): Child {
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
    return child
  }

  /** Without waiting, for the end of the process. A proxy's master takes its workers along at SIGTERM, and leaves them at SIGKILL. */
  #sweep(): void {
    for (const child of this.#children) child.kill('SIGTERM')
    if (this.#home) rmSync(this.#home.directory, { recursive: true, force: true })
  }
}

/** Ports of the loopback that nobody listens at: all probed at once, so that no two are the same. */
export const freePorts = async (count: number): Promise<readonly number[]> => {
  const probes = await Promise.all(Array.from({ length: count }, () => new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
    const probe = createServer().once('error', reject).listen(0, '127.0.0.1', () => resolve(probe))
  })))
  const ports = probes.map((probe) => (probe.address() as AddressInfo).port)
  await Promise.all(probes.map((probe) => new Promise((resolve) => probe.close(resolve))))
  return ports
}

/** Whether somebody takes connections at a port of the loopback. */
export const accepts = (port: number): Promise<boolean> => new Promise((resolve) => {
  const socket = connect(port, '127.0.0.1')
  socket.once('connect', () => { socket.destroy(); resolve(true) }).once('error', () => resolve(false))
})
