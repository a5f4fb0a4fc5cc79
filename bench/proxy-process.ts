import { spawn, spawnSync } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { accepts, freePorts, serverPath } from '../src/compare/processes/stage.ts'
import { sidecars } from '../src/compare/sidecars/index.ts'
import { versionOf } from '../src/compare/sidecars/sidecar.ts'

/** A proxy that can be installed and run. */
export type RunnableProxy = 'haproxy' | 'nginx'

const env = { ...process.env, PATH: serverPath }

const commands: Readonly<Record<RunnableProxy, {
  readonly check: (file: string, folder: string) => readonly string[]
  readonly run: (file: string, folder: string) => readonly string[]
}>> = {
  haproxy: { check: (file) => ['-c', '-f', file], run: (file) => ['-db', '-f', file] },
  nginx: {
    check: (file, folder) => ['-t', '-p', folder, '-c', file],
    run: (file, folder) => ['-p', folder, '-c', file],
  },
}

/** Its version; `undefined` where it is not installed. */
export const proxyVersion = (proxy: RunnableProxy): string | undefined => versionOf(sidecars[proxy])

const inFolder = async (text: string): Promise<{ readonly folder: string, readonly file: string }> => {
  const folder = await mkdtemp(join(tmpdir(), 'proxy-'))
  // Workers of nginx are nobody in particular.
  await chmod(folder, 0o755)
  const file = join(folder, 'proxy.conf')
  await writeFile(file, text)
  return { folder, file }
}

/** What the proxy has to say against a configuration; `undefined` where it takes it. */
export const refusedBy = async (proxy: RunnableProxy, text: string): Promise<string | undefined> => {
  const { folder, file } = await inFolder(text)
  const { status, stdout, stderr } = spawnSync(proxy, [...commands[proxy].check(file, folder)], { env, encoding: 'utf8' })
  await rm(folder, { recursive: true, force: true })
  return status === 0 ? undefined : `${stdout}${stderr}`
}

/** A port on which nobody listens now. */
export const freePort = async (): Promise<number> => (await freePorts(1))[0]!

/** A proxy that runs. */
export interface ProxyProcess {
  readonly pid: number
  stop(): Promise<void>
}

/** Starts a proxy, and waits until it listens on the port. Throws with what it says when it does not come up. */
export const startProxy = async (proxy: RunnableProxy, text: string, port: number): Promise<ProxyProcess> => {
  const { folder, file } = await inFolder(text)
  const child = spawn(proxy, [...commands[proxy].run(file, folder)], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => { said += text })
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', (error) => { said += error.message; resolve() })
  })
  // A master of nginx ends its workers on SIGTERM; killed, it would leave them behind.
  const kill = (): void => { child.kill(proxy === 'nginx' ? 'SIGTERM' : 'SIGKILL') }
  // Whoever is broken off leaves nothing behind.
  process.once('exit', kill)
  const stop = async (): Promise<void> => {
    process.off('exit', kill)
    kill()
    await ended
    await rm(folder, { recursive: true, force: true })
  }
  for (let tries = 0; tries < 500; tries++) {
    if (await accepts(port)) return { pid: child.pid!, stop }
    if (child.exitCode !== null) break
    await sleep(20)
  }
  await stop()
  throw new Error(`${proxy} did not come up: ${said}`)
}
