import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { portToKeep } from './port.ts'
import { withoutTool } from './tool.ts'

/** Why tests with a real etcd are left out; false where it is installed. */
export const etcdMissing = withoutTool('etcd', 'apt-get install etcd-server')

const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** Files of a certificate for 127.0.0.1. */
export interface ServerFiles { readonly cert: string, readonly key: string }

/** A real member of etcd in a directory of its own. Killed for good when the test's process ends. */
export class Etcd {
  readonly url: string
  readonly peer: string
  readonly name: string
  readonly #directory = mkdtempSync(join(tmpdir(), 'enmesh-etcd-'))
  readonly #more: readonly string[]
  #process: ChildProcess | undefined
  readonly #kill = (): void => { this.#process?.kill('SIGKILL') }

  private constructor(name: string, url: string, peer: string, more: readonly string[]) {
    this.name = name
    this.url = url
    this.peer = peer
    this.#more = more
    process.once('exit', this.#kill)
  }

  /** One member that is a cluster by itself. */
  static async start(tls?: ServerFiles): Promise<Etcd> {
    const member = await Etcd.#prepare('a', tls)
    await member.run([member])
    return member
  }

  /** Members that form a cluster; all of them run. */
  static async cluster(size: number): Promise<readonly Etcd[]> {
    const members: Etcd[] = []
    for (let at = 0; at < size; at++) members.push(await Etcd.#prepare(`m${at}`))
    await Promise.all(members.map((member) => member.run(members)))
    return members
  }

  static async #prepare(name: string, tls?: ServerFiles): Promise<Etcd> {
    const [port, peer] = [await portToKeep(), await portToKeep()]
    const more = tls ? ['--cert-file', tls.cert, '--key-file', tls.key] : []
    return new Etcd(name, `${tls ? 'https' : 'http'}://127.0.0.1:${port}`, `http://127.0.0.1:${peer}`, more)
  }

  /** Starts it, or starts it again with what it had; resolves when it answers. */
  async run(members: readonly Etcd[] = [this]): Promise<void> {
    const child = spawn('etcd', [
      '--name', this.name, '--data-dir', join(this.#directory, 'data'),
      '--listen-client-urls', this.url, '--advertise-client-urls', this.url,
      '--listen-peer-urls', this.peer, '--initial-advertise-peer-urls', this.peer,
      '--initial-cluster', members.map(({ name, peer }) => `${name}=${peer}`).join(),
      '--heartbeat-interval', '20', '--election-timeout', '200', '--logger', 'zap', ...this.#more,
    ], { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#process = child
    const lines: string[] = []
    for await (const line of createInterface(child.stderr)) {
      lines.push(line)
      if (line.includes('serving client traffic')) break
    }
    child.stderr.resume()
    // Whatever becomes of the test, its process ends and takes the member along.
    child.unref()
    ;(child.stderr as Socket).unref()
    if (child.exitCode !== null) throw new Error(`etcd did not start:\n${lines.slice(-5).join('\n')}`)
  }

  /** Ends it without a word, as a machine does that loses its power. What was written stays. */
  async kill(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child?.exitCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  async close(): Promise<void> {
    await this.kill()
    process.off('exit', this.#kill)
    rmSync(this.#directory, { recursive: true, force: true })
  }

  /** Calls its JSON API, again where an election was in the way. */
  async call(path: string, body: object, headers: Record<string, string> = {}): Promise<Record<string, any>> { // eslint-disable-line @typescript-eslint/no-explicit-any
    const response = await fetch(`${this.url}/v3/${path}`, { method: 'POST', body: JSON.stringify(body), headers })
    if (response.status === 503) return this.call(path, body, headers)
    if (!response.ok) throw new Error(`etcd answered ${response.status}: ${await response.text()}`)
    return await response.json() as Record<string, unknown>
  }

  async put(key: string, value: string): Promise<bigint> {
    return BigInt((await this.call('kv/put', { key: base64(key), value: base64(value) }))['header'].revision)
  }

  async remove(key: string): Promise<bigint> {
    return BigInt((await this.call('kv/deleterange', { key: base64(key) }))['header'].revision)
  }

  async compact(revision: bigint): Promise<void> {
    await this.call('kv/compaction', { revision: String(revision), physical: true })
  }
}
