import type { MeshInput } from '../mesh/config.ts'
import { ProxyConfigError, toEnvoy, toHaproxy, toNginx, type ProxyConfig, type ProxyName, type ProxyOptions, type Unexpressed, type WriteProxy } from '../proxies/index.ts'
import { readReady, type Definition, type DefinitionOptions } from './definitions.ts'
import { faultsOf, howMany, stops, type ToldFault } from './faults.ts'
import { exit, failed, type Result } from './result.ts'
import { save } from './save.ts'
import type { World } from './world.ts'

/** How the configuration of a proxy is written. */
export interface ProxyCommandOptions extends DefinitionOptions {
  readonly proxy: ProxyName
  /** What only the command line says of the proxy's machine. */
  readonly machine: Pick<ProxyOptions, 'listen' | 'resolvers' | 'threads' | 'admin'>
  /** Files that hold a certificate and its key, by cluster. */
  readonly bundles: Readonly<Record<string, string>>
  /** The file; stdout without one. */
  readonly out?: string
  /** Whether a file that is there is replaced. */
  readonly force?: boolean
}

const writers: Readonly<Record<ProxyName, WriteProxy>> = { haproxy: toHaproxy, nginx: toNginx, envoy: toEnvoy }

const titles: Readonly<Record<ProxyName, string>> = { haproxy: 'HAProxy', nginx: 'nginx', envoy: 'Envoy' }

/** In a configuration of enmesh, endpoints and certificates go by cluster; those of App Mesh are in it already. */
const proxyOptions = ({ kind }: Definition, { machine, bundles, endpoints, certificates = {} }: ProxyCommandOptions): ProxyOptions => {
  const files: Record<string, object> = kind === 'enmesh' ? { ...certificates } : {}
  for (const [name, bundle] of Object.entries(bundles)) files[name] = { ...files[name], bundle }
  return {
    ...machine,
    ...(kind === 'enmesh' && endpoints && { endpoints }),
    certificates: files,
  }
}

const written = (proxy: ProxyName, config: MeshInput, options: ProxyOptions): ProxyConfig | readonly ToldFault[] => {
  try {
    return writers[proxy](config, options)
  } catch (error) {
    if (!(error instanceof ProxyConfigError)) return faultsOf(error)
    return [{ severity: 'error', path: error.path, message: error.message.slice(error.path.length + 2) }]
  }
}

const mostPlaces = 3

/** One line for each policy, with the places where it is in effect. */
const told = (unexpressed: readonly Unexpressed[], proxy: ProxyName): readonly ToldFault[] => {
  const policies = [...new Set(unexpressed.map(({ policy }) => policy))]
  return policies.map((each) => {
    const all = unexpressed.filter(({ policy }) => policy === each)
    const { instead, why } = all[0]!
    const places = all.slice(0, mostPlaces).map(({ path }) => path).join(', ')
    const more = all.length > mostPlaces ? ` and ${all.length - mostPlaces} more` : ''
    return { severity: 'warning', path: `${places}${more}`, message: `${titles[proxy]} ${instead} (${why})` }
  })
}

/** Writes the configuration of a sidecar proxy with the policies of a definition, and says what is not in it. */
export const proxyConfig = async (paths: readonly string[], options: ProxyCommandOptions, world: World): Promise<Result> => {
  const { proxy, out, force = false } = options
  const { definition, config, faults, withheld } = await readReady(paths, options, world)
  if (!definition || !config || stops(faults)) return failed(faults, withheld)
  const made = written(proxy, config, proxyOptions(definition, options))
  if (!('text' in made)) return failed([...faults, ...made], withheld)
  const { text, unexpressed } = made
  if (out !== undefined) await save(out, text, force)
  return {
    code: exit.well,
    faults: [...faults, ...told(unexpressed, proxy)],
    warnings: 'told',
    text: () => out === undefined ? text.trimEnd() : `${out}: the configuration of ${titles[proxy]}, ${howMany(unexpressed.length, 'remark')}`,
    data: { ...(out !== undefined && { out }), text, unexpressed },
    // A proxy knows no variables of ours: what they stand for is in its configuration.
    withheld: new Map(),
  }
}
