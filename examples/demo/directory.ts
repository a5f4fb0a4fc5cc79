import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'

/** Where the services of the shop may find one another. */
export const directoryKinds = ['static', 'file', 'dns', 'etcd'] as const
export type DirectoryKind = typeof directoryKinds[number]

/** Knows where the instances of each service are, and how a mesh asks for them. */
export interface Directory {
  /** In a few words, for people. */
  readonly about: string
  /** Starts what it needs. Throws where that is not installed, and says what to do. */
  open(): Promise<void>
  /** Makes the addresses of a service known, in place of those before. */
  list(service: string, addresses: readonly string[]): Promise<void>
  /** What a service finds in its environment to reach another: addresses, or a registry as JSON. */
  whereIs(service: string): string
  close(): Promise<void>
}

/** A folder of its own, gone when it is closed. */
class Folder {
  readonly path = mkdtempSync(join(tmpdir(), 'enmesh-demo-'))

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** The addresses themselves, in the environment of whoever calls. */
class Written implements Directory {
  readonly about = 'by addresses in their configuration'
  readonly #addresses = new Map<string, readonly string[]>()

  async open(): Promise<void> {}

  async list(service: string, addresses: readonly string[]): Promise<void> {
    this.#addresses.set(service, addresses)
  }

  whereIs(service: string): string {
    return this.#addresses.get(service)!.join(',')
  }

  async close(): Promise<void> {}
}

/** A JSON file for each service. */
class Files implements Directory {
  readonly about = 'in JSON files'
  readonly #folder = new Folder()

  async open(): Promise<void> {}

  async list(service: string, addresses: readonly string[]): Promise<void> {
    writeFileSync(`${this.#path(service)}.new`, JSON.stringify(addresses))
    renameSync(`${this.#path(service)}.new`, this.#path(service))
  }

  whereIs(service: string): string {
    return JSON.stringify({ type: 'file', path: this.#path(service) })
  }

  #path(service: string): string {
    return join(this.#folder.path, `${service}.json`)
  }

  async close(): Promise<void> {
    this.#folder.remove()
  }
}

/** A program that is started for the demo and ended with it, however the demo ends. */
class Program {
  readonly #name: string
  readonly #install: string
  #child: ChildProcess | undefined
  readonly #kill = (): void => { this.#child?.kill('SIGKILL') }

  constructor(name: string, install: string) {
    this.#name = name
    this.#install = install
    process.once('exit', this.#kill)
  }

  /** Resolves once a line of what it says has a text in it. */
  async start(args: readonly string[], ready: string): Promise<void> {
    // Debian keeps dnsmasq where only administrators look.
    const path = [process.env['PATH'], '/usr/sbin', '/usr/local/sbin'].join(delimiter)
    const child = spawn(this.#name, args, { env: { ...process.env, PATH: path }, stdio: ['ignore', 'ignore', 'pipe'] })
    this.#child = child
    const failed = once(child, 'error').then(([error]) => {
      throw (error as NodeJS.ErrnoException).code === 'ENOENT'
        ? new Error(`${this.#name} is not installed: ${this.#install}, or choose another --registry`) : error as Error
    })
    const lines: string[] = []
    const listening = (async () => {
      for await (const line of createInterface(child.stderr!)) {
        if (line.includes(ready)) return child.stderr!.resume()
        lines.push(line)
      }
      throw new Error(`${this.#name} did not start:\n${lines.slice(-5).join('\n')}`)
    })()
    await Promise.race([failed, listening])
    failed.catch(() => {})
  }

  async stop(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child?.pid === undefined || child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  async close(): Promise<void> {
    await this.stop()
    process.off('exit', this.#kill)
  }
}

/** SRV records of a dnsmasq. */
class Dns implements Directory {
  readonly about = 'by SRV records of a dnsmasq'
  readonly #folder = new Folder()
  readonly #program = new Program('dnsmasq', 'apt-get install dnsmasq-base')
  readonly #addresses = new Map<string, readonly string[]>()
  #port = 0

  async open(): Promise<void> {
    this.#port = await freePort()
    await this.#run()
  }

  /** It reads its records when it starts; who asks meanwhile keeps what it has, and asks again. */
  async list(service: string, addresses: readonly string[]): Promise<void> {
    this.#addresses.set(service, addresses)
    await this.#program.stop()
    await this.#run()
  }

  async #run(): Promise<void> {
    const file = join(this.#folder.path, 'dnsmasq.conf')
    const records = [...this.#addresses].flatMap(([service, addresses]) =>
      addresses.map((address) => `srv-host=${nameOf(service)},instances.test,${address.split(':')[1]}`))
    writeFileSync(file, [
      `port=${this.#port}`, 'listen-address=127.0.0.1', 'bind-interfaces', 'no-resolv', 'no-hosts', 'local=/test/', `user=${userInfo().username}`,
      'group=', 'pid-file=', 'log-facility=-', 'address=/instances.test/127.0.0.1', ...records, '',
    ].join('\n'))
    await this.#program.start(['--keep-in-foreground', `--conf-file=${file}`], 'started')
  }

  whereIs(service: string): string {
    return JSON.stringify({ type: 'dns', record: 'srv', hostname: nameOf(service), servers: [`127.0.0.1:${this.#port}`], family: 4 })
  }

  async close(): Promise<void> {
    await this.#program.close()
    this.#folder.remove()
  }
}

const nameOf = (service: string): string => `_http._tcp.${service}.test`

/** Keys of an etcd. */
class Etcd implements Directory {
  readonly about = 'by keys of an etcd'
  readonly #folder = new Folder()
  readonly #program = new Program('etcd', 'apt-get install etcd-server')
  readonly #keys = new Map<string, readonly string[]>()
  #url = ''

  async open(): Promise<void> {
    const [port, peer] = [await freePort(), await freePort()]
    this.#url = `http://127.0.0.1:${port}`
    const peerUrl = `http://127.0.0.1:${peer}`
    await this.#program.start([
      '--name', 'demo', '--data-dir', join(this.#folder.path, 'etcd'), '--logger', 'zap',
      '--listen-client-urls', this.#url, '--advertise-client-urls', this.#url,
      '--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl, '--initial-cluster', `demo=${peerUrl}`,
    ], 'serving client traffic')
  }

  async list(service: string, addresses: readonly string[]): Promise<void> {
    for (const address of addresses) await this.#call('put', { key: `/${service}/${address}`, value: address })
    for (const address of this.#keys.get(service) ?? []) if (!addresses.includes(address)) await this.#call('deleterange', { key: `/${service}/${address}` })
    this.#keys.set(service, addresses)
  }

  async #call(what: string, texts: Readonly<Record<string, string>>): Promise<void> {
    const body = JSON.stringify(Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, Buffer.from(text).toString('base64')])))
    const response = await fetch(`${this.#url}/v3/kv/${what}`, { method: 'POST', body })
    if (!response.ok) throw new Error(`etcd answered ${response.status}: ${await response.text()}`)
  }

  whereIs(service: string): string {
    return JSON.stringify({ type: 'etcd', servers: [this.#url], prefix: `/${service}/` })
  }

  async close(): Promise<void> {
    await this.#program.close()
    this.#folder.remove()
  }
}

// Below the ports that systems give to those who ask for any: nobody takes it while its program is started anew.
const lowestPort = 15_000
const ports = 15_000
/** Those that were given out already: until its program listens, a port looks free. */
const given = new Set<number>()

const freePort = async (): Promise<number> => {
  for (;;) {
    const port = lowestPort + Math.floor(Math.random() * ports)
    if (given.has(port)) continue
    given.add(port)
    const server = createServer().listen(port, '127.0.0.1')
    try {
      await once(server, 'listening')
    } catch {
      continue
    }
    server.close()
    await once(server, 'close')
    return port
  }
}

const makers: Readonly<Record<DirectoryKind, () => Directory>> =
  { static: () => new Written(), file: () => new Files(), dns: () => new Dns(), etcd: () => new Etcd() }

/** Makes a directory; nothing is started yet. */
export const directoryOf = (kind: DirectoryKind): Directory => makers[kind]()
