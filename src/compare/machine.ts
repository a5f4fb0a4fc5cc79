import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'
import { createRequire } from 'node:module'
import { version } from '../tracing/tracer.ts'
import type { Arrangement } from './arrangement.ts'
import type { Machine } from './results.ts'
import { versionOf } from './sidecars/sidecar.ts'

/** The machine, without what a run changes. */
export const machineHere = (): Omit<Machine, 'loadAfter'> => ({
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores: availableParallelism(),
  memoryMiB: Math.round(totalmem() / 1024 ** 2),
  kernel: release(),
  loadBefore: loadavg()[0]!,
})

/** The kernel's average of a minute. */
export const loadNow = (): number => loadavg()[0]!

/** The version of an installed package; undefined where it is not installed. Some export no package.json, so it is looked for beside what they do export. */
export const packageVersion = (name: string, from = import.meta.url): string | undefined => {
  try {
    const folder = createRequire(from).resolve(name).split(`/node_modules/${name}/`)[0]!
    return (JSON.parse(readFileSync(`${folder}/node_modules/${name}/package.json`, 'utf8')) as { readonly version: string }).version
  } catch {
    return undefined
  }
}

/** The versions of all that takes part. */
export const versionsOf = (arrangements: readonly Arrangement[], packages: readonly string[]): Readonly<Record<string, string>> => {
  const proxies = arrangements.flatMap(({ sidecar }) => sidecar ? [[sidecar.name, versionOf(sidecar)] as const] : [])
  const all = [['node', process.versions.node], ['undici', packageVersion('undici')], ['undici inside node', process.versions['undici']], ['enmesh', version],
    ...packages.map((name) => [name, packageVersion(name)] as const), ...proxies] as const
  return Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== undefined))
}
