import { fromAppMesh, readAppMesh, type AppMeshReading, type AppMeshReadOptions, type FromAppMeshOptions } from '../app-mesh/index.ts'
import { loadConfig } from '../config-file/load.ts'
import { otherReading, type Environment } from '../config-file/substitute.ts'
import type { MeshInput } from '../mesh/config.ts'
import { faultsOf, ofDefinition, stops, type ToldFault } from './faults.ts'
import { givenAt } from './kind.ts'
import { meshAtRest } from './mesh-at-rest.ts'
import { Origins } from './origins.ts'
import { UsageError } from './result.ts'
import type { World } from './world.ts'

/** How definitions of App Mesh are read and taken over. */
export type DefinitionOptions = AppMeshReadOptions & Omit<FromAppMeshOptions, 'onWarning'>

/** A definition of App Mesh, out of one file or several. */
export interface AppMeshDefinition {
  readonly kind: 'app-mesh'
  readonly files: readonly string[]
  readonly reading: AppMeshReading
  readonly origins: Origins
}

/** A configuration of enmesh. */
export interface NativeDefinition {
  readonly kind: 'enmesh'
  readonly files: readonly string[]
  readonly input: MeshInput
}

export type Definition = AppMeshDefinition | NativeDefinition

/** What a command's files hold. */
export interface Definitions {
  readonly all: readonly Definition[]
  readonly faults: readonly ToldFault[]
  /** Values of environment variables that came in, by name. */
  readonly withheld: ReadonlyMap<string, string>
}

// A shorter value is no secret, and stands for itself in too many places.
const shortestSecret = 4

/** An environment that notes what was asked of it. */
const noting = (env: Environment, withheld: Map<string, string>): Environment => new Proxy(env, {
  get: (all, name: string) => {
    const value = all[name]
    if (value !== undefined && value.length >= shortestSecret && otherReading(value) === undefined) withheld.set(name, value)
    return value
  },
})

/** Reads files: those of App Mesh together to one definition, each configuration of enmesh by itself. */
export const readDefinitions = async (paths: readonly string[], options: DefinitionOptions, world: World): Promise<Definitions> => {
  const given = (await Promise.all(paths.map((path) => givenAt(path, world.stdin)))).flat()
  const withheld = new Map<string, string>()
  const env = noting(world.env, withheld)
  const all: Definition[] = []
  const faults: ToldFault[] = []
  const collect = async (read: () => Promise<Definition>): Promise<void> => {
    try {
      all.push(await read())
    } catch (error) {
      faults.push(...faultsOf(error))
    }
  }
  const theirs = given.filter(({ kind }) => kind === 'app-mesh')
  if (theirs.length > 0) {
    await collect(async () => {
      const reading = await readAppMesh(theirs.flatMap(({ path, sources }) => sources ?? [path]), options)
      faults.push(...reading.warnings.map(ofDefinition))
      return { kind: 'app-mesh', files: theirs.map(({ path }) => path), reading, origins: new Origins(reading) }
    })
  }
  for (const { path } of given.filter(({ kind }) => kind === 'enmesh')) {
    await collect(async () => ({ kind: 'enmesh', files: [path], input: await loadConfig(path, { env }) }))
  }
  return { all, faults, withheld }
}

const options = { as: '--as', mesh: '--mesh', parameters: '--param', variables: '--var', endpoints: '--endpoints', certificates: '--ca or --cert' } as const

const isGiven = (value: unknown): boolean => value !== undefined && (typeof value !== 'object' || Object.keys(value as object).length > 0)

/** Refuses options that would have no effect, since what was read is all of enmesh. */
export const refuseIdle = (definitions: readonly (Definition | undefined)[], given: DefinitionOptions): void => {
  if (definitions.some((definition) => definition?.kind !== 'enmesh')) return
  const idle = (Object.keys(options) as (keyof typeof options)[]).find((name) => isGiven(given[name]))
  if (idle !== undefined) throw new UsageError(`${options[idle]} says something of App Mesh definitions, and none is given: leave it out`)
}

/** Reads files that must make one definition. */
export const readOne = async (paths: readonly string[], options: DefinitionOptions, world: World): Promise<Definitions> => {
  const read = await readDefinitions(paths, options, world)
  if (read.all.length > 1) {
    throw new UsageError(`one definition is wanted, and these are ${read.all.length}: ${read.all.map(({ kind, files }) =>
      `${files.join(', ')} (${kind === 'enmesh' ? 'a configuration of enmesh' : 'App Mesh'})`).join('; ')}`)
  }
  return read
}

/** A configuration, or why there is none. */
export interface Taken {
  readonly config?: MeshInput
  readonly faults: readonly ToldFault[]
}

/** The configuration that a definition makes, seen to hold together. */
export const configOf = async (definition: Definition, options: DefinitionOptions): Promise<Taken> => {
  const faults: ToldFault[] = []
  try {
    const config = definition.kind === 'enmesh' ? definition.input : taken(definition, options, faults)
    await meshAtRest(config).close()
    return { config, faults }
  } catch (error) {
    const told = faultsOf(error)
    return { faults: [...faults, ...definition.kind === 'enmesh' ? told : told.map((fault) => definition.origins.placed(fault))] }
  }
}

const taken = ({ reading, origins }: AppMeshDefinition, { as, endpoints, certificates }: DefinitionOptions, faults: ToldFault[]): MeshInput =>
  fromAppMesh(reading.document, {
    ...(as !== undefined && { as }),
    ...(endpoints && { endpoints }),
    ...(certificates && { certificates }),
    onWarning: (warning) => { faults.push(origins.placed(ofDefinition(warning))) },
  })

/** One definition and the configuration that it makes; absent where there are faults. */
export interface Ready extends Omit<Definitions, 'all'> {
  readonly definition?: Definition
  readonly config?: MeshInput
}

/** Reads files to one definition, and makes its configuration. */
export const readReady = async (paths: readonly string[], options: DefinitionOptions, world: World): Promise<Ready> => {
  const { all: [definition], faults, withheld } = await readOne(paths, options, world)
  if (!definition || stops(faults)) return { faults, withheld }
  const { config, faults: later } = await configOf(definition, options)
  return { definition, ...(config && { config }), faults: [...faults, ...later], withheld }
}
