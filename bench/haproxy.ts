import { spawn, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, connect, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

// Debian keeps it where only root looks.
const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin` }

/** Its version; `undefined` where it is not installed. */
export const haproxyVersion = (): string | undefined => {
  const { status, stdout } = spawnSync('haproxy', ['-v'], { env, encoding: 'utf8' })
  return status === 0 ? /version (\S+)/.exec(stdout)?.[1] ?? 'unknown' : undefined
}

const freePort = async (): Promise<number> => {
  const probe = createServer()
  await new Promise<void>((resolve) => { probe.listen(0, '127.0.0.1', resolve) })
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}

const accepts = (port: number): Promise<boolean> => new Promise((resolve) => {
  const socket = connect(port, '127.0.0.1')
  socket.once('connect', () => resolve(true)).once('error', () => resolve(false)).once('connect', () => socket.destroy())
})

/** One that runs. */
export interface Haproxy {
  readonly pid: number
  readonly port: number
  stop(): Promise<void>
}

/** Starts one that listens on a free port, as a configuration for that port says. Throws with what it says when it does not come up. */
export const runHaproxy = async (configOf: (port: number) => string): Promise<Haproxy> => {
  const folder = await mkdtemp(join(tmpdir(), 'haproxy-'))
  const file = join(folder, 'haproxy.cfg')
  const port = await freePort()
  await writeFile(file, configOf(port))
  const child = spawn('haproxy', ['-db', '-f', file], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => { said += text })
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', (error) => { said += error.message; resolve() })
  })
  const kill = (): void => { child.kill('SIGKILL') }
  // A benchmark that is broken off leaves nothing behind.
  process.once('exit', kill)
  const stop = async (): Promise<void> => {
    process.off('exit', kill)
    kill()
    await ended
    await rm(folder, { recursive: true, force: true })
  }
  for (let tries = 0; tries < 200; tries++) {
    if (await accepts(port)) return { pid: child.pid!, port, stop }
    if (child.exitCode !== null) break
    await sleep(20)
  }
  await stop()
  throw new Error(`haproxy did not come up: ${said}`)
}
