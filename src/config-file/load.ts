import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { z } from 'zod'
import type { Balancer } from '../balancers/balancer.ts'
import { MeshConfigError } from '../core/errors.ts'
import type { AnyKind } from '../core/family.ts'
import type { AnyMatcherKind } from '../matchers/matcher.ts'
import {
  builtIn, meshConfig, type BuiltInBalancer, type BuiltInMatcher, type BuiltInRegistry, type Families, type MeshInput,
} from '../mesh/config.ts'
import { parse } from '../mesh/faults.ts'
import { located } from '../mesh/sources.ts'
import type { Registry } from '../registries/registry.ts'
import { longestText, regularFile, UnfitFileError } from '../runtime/regular-file.ts'
import { readJson } from './json.ts'
import { readModule } from './module.ts'
import { placesOf, Unreadable, unusable, type Piece } from './piece.ts'
import type { Environment } from './substitute.ts'
import { settleReadings, valuesOf } from './values.ts'
import { readYaml } from './yaml.ts'

/** How a configuration is loaded. */
export interface LoadOptions<
  R extends AnyKind<Registry> = BuiltInRegistry,
  B extends AnyKind<Balancer> = BuiltInBalancer,
  M extends AnyMatcherKind = BuiltInMatcher,
> extends Partial<Families<R, B, M>> {
  /** What `${NAME}` stands for; `process.env` by default. */
  readonly env?: Environment
}

/** The plug-ins of any mesh. */
export type AnyFamilies = Families<AnyKind<Registry>, AnyKind<Balancer>, AnyMatcherKind>

/**
 * Loads a configuration from a file, for `createMesh` or `mesh.update`.
 *
 * `.json` is strict JSON, `.yaml` and `.yml` are YAML 1.2; in both, `$schema` at the top is left out, and `${NAME}` and `${NAME:-default}`
 * within values stand for environment variables (`$${` for a literal `${`). `.ts`, `.mts`, `.js`, `.mjs` and `.cjs` are modules:
 * their default export or their export `config` is taken, and called if it is a function. A module is run afresh
 * each time it is loaded; what it imports is not.
 *
 * Kinds of your own are given as to `createMesh`: `loadConfig(path, { registries: registries.with(myKind) })`.
 *
 * Rejects with a `MeshConfigError` whose faults say file, line and column, for a file that cannot be read and for any shape that is wrong.
 * Whether the parts fit together (a route to a cluster that is not there) is for `createMesh` and `update` to say, which then
 * name file and line too, also where parts of several files were put together. The values of variables are in no message.
 */
export const loadConfig = async <
  R extends AnyKind<Registry> = BuiltInRegistry,
  B extends AnyKind<Balancer> = BuiltInBalancer,
  M extends AnyMatcherKind = BuiltInMatcher,
>(path: string | URL, options: LoadOptions<R, B, M> = {}): Promise<MeshInput<R, B, M>> => {
  const file = pathOf(path)
  const families = { ...builtIn, ...options } as unknown as AnyFamilies
  return (await read(file, await textOf(file), families, options.env ?? process.env)).input as MeshInput<R, B, M>
}

/** A path as text. */
export const pathOf = (path: string | URL): string => path instanceof URL ? fileURLToPath(path) : path

/** The text of a file. Rejects with a `MeshConfigError` where there is none. */
export const textOf = async (file: string): Promise<string> => {
  let bytes: Uint8Array
  try {
    bytes = await regularFile(file, longestText)
  } catch (error) {
    if (error instanceof UnfitFileError) throw unusable(`${error.reason}: a configuration is a regular file`, { file })
    const { code = String(error) } = error as NodeJS.ErrnoException
    throw unusable(code === 'ENOENT' ? 'there is no such file' : `cannot be read: ${code}`, { file }, error)
  }
  try {
    // Leaves a byte order mark out.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw unusable('is not text in UTF-8', { file }, error)
  }
}

type Format = (file: string, text: string, env: Environment, schema: z.ZodType) => Promise<unknown>

const data = (pieceOf: (text: string) => Piece | Promise<Piece>): Format => async (file, text, env, schema) => {
  const placeAt = placesOf(file, text)
  try {
    const top = await pieceOf(text)
    if (top.kind === 'plain' && top.value === undefined) throw new Unreadable('the file is empty: write at least `services`', 0)
    if (top.kind !== 'object') throw new Unreadable('a configuration is an object with names such as `services` and `clusters`', top.at)
    const values = valuesOf(top, placeAt, env)
    if (values.faults.length > 0) throw new MeshConfigError(values.faults)
    settleReadings(values, schema)
    return values.value
  } catch (error) {
    throw error instanceof Unreadable ? unusable(error.message, placeAt(error.at)) : error
  }
}

const json = data(readJson)
const yaml = data(readYaml)

const formats: Readonly<Record<string, Format>> = {
  '.json': json,
  '.yaml': yaml,
  '.yml': yaml,
  '.ts': readModule,
  '.mts': readModule,
  '.js': readModule,
  '.mjs': readModule,
  '.cjs': readModule,
}

/** A configuration as it is written, and as it is after parsing. */
export interface Loaded {
  readonly input: unknown
  readonly config: unknown
}

/** Reads the text of a file as its ending says, and checks its shape. Rejects with a `MeshConfigError`, whatever goes wrong. */
export const read = async (file: string, text: string, families: AnyFamilies, env: Environment): Promise<Loaded> => {
  const ending = extname(file).toLowerCase()
  const format = Object.hasOwn(formats, ending) ? formats[ending] : undefined
  if (!format) throw unusable(`has the ending '${ending}': a configuration ends in ${Object.keys(formats).join(', ')}`, { file })
  try {
    const schema = meshConfig(families)
    const input = await format(file, text, env, schema)
    const { value, faults } = parse(schema, input)
    if (value === undefined) throw new MeshConfigError(located(faults, input))
    return { input, config: value }
  } catch (error) {
    if (error instanceof MeshConfigError) throw error
    // Its message may quote the file, or what a variable brought in.
    const name = error instanceof Error ? error.name : typeof error
    throw unusable(`cannot be read: that failed with a ${name}, as where a text is far too long or the shape of an own kind throws`, { file }, error)
  }
}
