import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { delimiter, join } from 'node:path'
import { portToKeep } from './port.ts'
import { withoutTool } from './tool.ts'

// Debian keeps it where only administrators look.
const path = [process.env['PATH'], '/usr/sbin', '/usr/local/sbin'].join(delimiter)

/** Why tests against a real dnsmasq are left out; false where there is one. */
export const withoutDnsmasq = withoutTool('dnsmasq', 'apt-get install dnsmasq-base', path)

/** A dnsmasq of its own on a free loopback port, that knows the zone `test` and nothing else. */
export class Dnsmasq {
  readonly #directory = mkdtempSync(join(tmpdir(), 'enmesh-dnsmasq-'))
  readonly port: number
  #child: ChildProcess | undefined

  private constructor(port: number) {
    this.port = port
  }

  /** Starts one with lines of its configuration file, such as `srv-host=…`, and lines of a hosts file. */
  static async start(configuration: readonly string[], hosts: readonly string[]): Promise<Dnsmasq> {
    for (let left = 10; ; left--) {
      const server = new Dnsmasq(await portToKeep())
      server.write(configuration, hosts)
      try {
        await server.start()
        return server
      } catch (error) {
        // Free a moment ago, but not now.
        await server.close()
        if (left === 0) throw error
      }
    }
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Writes its files anew; takes effect when it is started again, the hosts with `reload` already. */
  write(configuration: readonly string[], hosts: readonly string[]): void {
    const file = join(this.#directory, 'hosts')
    writeFileSync(file, hosts.join('\n'), { mode: 0o644 })
    writeFileSync(join(this.#directory, 'dnsmasq.conf'), [
      `port=${this.port}`, 'listen-address=127.0.0.1', 'bind-interfaces', 'no-resolv', 'no-hosts', 'local=/test/',
      `addn-hosts=${file}`, `user=${userInfo().username}`, 'group=', 'pid-file=', 'log-facility=-', ...configuration,
    ].join('\n'))
  }

  async start(): Promise<void> {
    const child = spawn('dnsmasq', ['--keep-in-foreground', `--conf-file=${join(this.#directory, 'dnsmasq.conf')}`],
      { env: { PATH: path }, stdio: ['ignore', 'ignore', 'pipe'] })
    this.#child = child
    let log = ''
    await new Promise<void>((resolve, reject) => {
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        log += text
        if (log.includes('read ')) resolve()
      })
      child.once('exit', (code) => reject(new Error(`dnsmasq ended with ${code}: ${log}`)))
      child.once('error', reject)
    })
  }

  /** Reads the hosts again. */
  reload(): void {
    this.#child?.kill('SIGHUP')
  }

  async stop(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child?.exitCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  async close(): Promise<void> {
    await this.stop()
    rmSync(this.#directory, { recursive: true })
  }
}
