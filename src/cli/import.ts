import { isDeepStrictEqual } from 'node:util'
import { read } from '../config-file/load.ts'
import { builtIn, type MeshInput } from '../mesh/config.ts'
import { readReady, type AppMeshDefinition, type DefinitionOptions } from './definitions.ts'
import { howMany, stops } from './faults.ts'
import { meshAtRest } from './mesh-at-rest.ts'
import type { Origin } from './origins.ts'
import { exit, failed, UsageError, type Result } from './result.ts'
import { save } from './save.ts'
import type { World } from './world.ts'
import { writeYaml, type Comments } from './write-yaml.ts'

/** How a configuration is written. */
export interface ImportOptions extends DefinitionOptions {
  /** The file; stdout without one. */
  readonly out?: string
  /** Whether a file that is there is replaced. */
  readonly force?: boolean
}

/** Where something is defined; JSON of the API has no names of its own, so that those begin with the kind. */
const from = (origin: Origin | undefined): string =>
  origin ? `${origin.resource.replace(/^(?:mesh|route|virtual(?:Service|Node|Router|Gateway)) /i, '')} in ${origin.file}` : 'not defined in what was read'

const commentsFor = ({ files, reading: { document }, origins }: AppMeshDefinition, { as, endpoints = {} }: DefinitionOptions): Comments => {
  const { meshName, spec } = document.mesh
  const services = new Map(document.virtualServices.map((service) => [service.virtualServiceName, service.spec.provider]))
  const callersPolicy = as === undefined ? undefined : origins.of('virtualNode', as) ?? origins.of('virtualGateway', as)
  return {
    top: [
      'yaml-language-server: $schema=./node_modules/enmesh/dist/schema.json',
      `Made by \`enmesh import\` of the App Mesh mesh '${meshName}', for ${as === undefined ? 'a caller of every service' : `'${as}' (${from(callersPolicy)})`}, out of`,
      ...files.map((file) => `  ${file}`),
      'It stands for itself: change it as you like, those files are not read again.',
    ].join('\n'),
    service: (name) => {
      const router = services.get(name)?.virtualRouter?.virtualRouterName
      const routed = router === undefined ? '' : `, routed by ${from(origins.of('virtualRouter', router))}`
      return `Virtual service ${from(origins.of('virtualService', name))}${routed}`
    },
    route: (service, route) => `Route ${from(origins.ofRoute(service, route))}`,
    cluster: (name) => {
      const given = Object.keys(endpoints).some((node) => name === node || name.startsWith(`${node}:`) || name.startsWith(`${node} for `))
      return `Virtual node ${from(origins.ofCluster(name))}${given ? '; its endpoints were given to `enmesh import`' : ''}`
    },
    egress: `Egress filter ${spec?.egressFilter?.type ?? 'DROP_ALL (by default)'} of the mesh, ${from(origins.of('mesh', meshName))}${
      as === undefined ? '' : `, and the backends of '${as}'`}`,
  }
}

const plainly = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

/** Sees that the text, taken for a file, is the same configuration. */
const seeItIsTheSame = async (text: string, config: MeshInput): Promise<void> => {
  const { input } = await read('enmesh.yaml', text, builtIn, {})
  if (!isDeepStrictEqual(plainly(input), plainly(config))) throw new Error('the configuration that was written is not the one that was meant; nothing was kept of it')
  await meshAtRest(input as MeshInput).close()
}

/** Writes a configuration of enmesh that does what a definition of App Mesh says. */
export const importDefinition = async (paths: readonly string[], options: ImportOptions, world: World): Promise<Result> => {
  const { out, force = false } = options
  if (out !== undefined && !/\.ya?ml$/.test(out)) throw new UsageError(`--out takes a name that ends in .yaml or .yml, and not '${out}'`)
  const { definition, config, faults, withheld } = await readReady(paths, options, world)
  if (definition?.kind === 'enmesh') throw new UsageError(`${definition.files.join(', ')} is a configuration of enmesh already: there is nothing to import`)
  if (!definition || !config || stops(faults)) return failed(faults, withheld)
  const text = writeYaml(config, commentsFor(definition, options))
  await seeItIsTheSame(text, config)
  if (out !== undefined) await save(out, text, force)
  const counts = `${howMany(Object.keys(config.services ?? {}).length, 'service')}, ${howMany(Object.keys(config.clusters ?? {}).length, 'cluster')}`
  const { origins } = definition
  const originsOf = (names: object | undefined, of: (name: string) => Origin | undefined): object =>
    Object.fromEntries(Object.keys(names ?? {}).map((name) => [name, of(name) ?? null]))
  return {
    code: exit.well,
    faults,
    warnings: 'told',
    text: () => out === undefined ? text.trimEnd() : `${out}: ${counts}`,
    data: {
      ...(out !== undefined && { out }),
      config,
      origins: {
        services: originsOf(config.services, (name) => origins.of('virtualService', name)),
        clusters: originsOf(config.clusters, (name) => origins.ofCluster(name)),
      },
    },
    withheld,
  }
}
