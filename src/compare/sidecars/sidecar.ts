import { execFile, spawnSync, type SpawnSyncReturns } from 'node:child_process'
import type { ProxyName, WriteProxy } from '../../proxies/index.ts'
import { serverPath } from '../processes/stage.ts'

/** A proxy as it is run beside an application: what its operator does with it. */
export interface Sidecar {
  readonly name: ProxyName
  readonly title: string
  readonly write: WriteProxy
  /** What the file with its configuration ends in; Envoy reads by it. */
  readonly file: string
  /** The program and its arguments that tell its version, and where in what it says the version is. */
  readonly version: readonly [args: readonly string[], pattern: RegExp]
  /** How it is installed. */
  readonly install: string
  /** Arguments that run it in the foreground. */
  run(file: string, directory: string): readonly string[]
  /** Arguments that only check a configuration; it ends with 0 where it is well. */
  check(file: string, directory: string): readonly string[]
  /** Where its configuration names what a call is sent to, and what stands there after a slip of the pen: a name that leads nowhere. */
  readonly slip: readonly [pattern: RegExp, written: string]
  /** What makes its master take a changed file over. Absent where it cannot be told, and is started anew. */
  readonly reload?: NodeJS.Signals
}

const env = { ...process.env, PATH: serverPath }

const patience = 5_000

/** Asks a proxy for its version; it waits for nothing, so what does not answer soon is none. */
const askVersion = ({ name, version: [args] }: Sidecar): SpawnSyncReturns<string> =>
  spawnSync(name, [...args], { env, encoding: 'utf8', timeout: patience, killSignal: 'SIGKILL' })

/** The version of a proxy; undefined where it is not installed, or doesn't tell. */
export const versionOf = (sidecar: Sidecar): string | undefined => {
  const { status, stdout, stderr } = askVersion(sidecar)
  return status === 0 ? sidecar.version[1].exec(`${stdout}${stderr}`)?.[1] ?? 'unknown' : undefined
}

/** Why a proxy cannot be run here; undefined where it can. */
export const whyMissing = (sidecar: Sidecar): string | undefined => {
  const { status, signal, error } = askVersion(sidecar)
  if (status === 0) return undefined
  const { code } = error as NodeJS.ErrnoException | undefined ?? {}
  if (code === 'ENOENT') return `there is no ${sidecar.name} on the PATH (${sidecar.install})`
  const came = code === 'ETIMEDOUT' ? `had no answer within ${patience / 1_000} s` : `ended with ${status ?? signal ?? code ?? 'nothing'}`
  return `the ${sidecar.name} on the PATH cannot be run: '${[sidecar.name, ...sidecar.version[0]].join(' ')}' ${came}`
}

/** What a proxy has against a configuration; undefined where it would take it. Holds up nobody: others may be in the middle of a fault meanwhile. */
export const objection = (sidecar: Sidecar, file: string, directory: string): Promise<string | undefined> => new Promise((resolve) => {
  execFile(sidecar.name, [...sidecar.check(file, directory)], { env, encoding: 'utf8', timeout: 10_000, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
    resolve(error ? (`${stdout}${stderr}`.trim() || error.message).slice(-1_000) : undefined)
  })
})
