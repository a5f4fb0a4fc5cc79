import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pathOf, textOf } from '../config-file/load.ts'
import { MeshConfigError } from '../core/errors.ts'
import { assemble, type Read } from './assembly/assemble.ts'
import type { AppMeshDocument } from './document.ts'
import { AppMeshError } from './error.ts'
import { formats } from './formats/index.ts'
import type { Fault, Found, ReadOptions, Source } from './found.ts'

/** How definitions are read. */
export interface AppMeshReadOptions extends ReadOptions {
  /** The mesh that is meant, where the sources define several. */
  readonly mesh?: string
}

/** What was read. */
export interface AppMeshReading {
  /** One whole mesh, in the shape of the API. */
  readonly document: AppMeshDocument
  /** Each of its resources with the place where it is written. */
  readonly found: readonly Found[]
  /** What is odd about it and no reason to stop: references to what is not there, routes that never match, … */
  readonly warnings: readonly Fault[]
}

/** A file or a directory by its path, or text that came in another way. */
export type AppMeshSource = string | URL | Source

/**
 * Reads App Mesh definitions to one mesh document in the shape of the API. Sources may be of different formats, each is
 * recognised by what is in it; a directory stands for the files right in it, of values for
 * Terraform's variables for those that Terraform takes by itself. Of what CLI JSON and Kubernetes manifests define,
 * a later source replaces an earlier one, as `update-route` and `kubectl apply` do.
 *
 * Rejects with an `AppMeshError` that has every fault with file, resource and path. What AWS would have put up with is a warning:
 * a reference to a resource that is not there, a route that can never match.
 */
export const readAppMesh = async (
  sources: AppMeshSource | readonly AppMeshSource[], options: AppMeshReadOptions = {},
): Promise<AppMeshReading> => {
  const list = Array.isArray(sources) ? sources as readonly AppMeshSource[] : [sources as AppMeshSource]
  const files = (await Promise.all(list.map(filesOf))).flat()
  const faults = files.filter((file) => isFault(file))
  const read = await readAll(onceEach(files.filter((file): file is Given => !isFault(file))), options, faults)
  const { document, found, faults: odd } = assemble(read, options.mesh, faults.some(({ severity }) => severity === 'error'))
  const all = [...faults, ...odd, ...idle(files, options)]
  if (!document || all.some(({ severity }) => severity === 'error')) throw new AppMeshError(all)
  return { document, found, warnings: all }
}

/** Names that files may make of parts, so that they stand nowhere as they are. */
const composed = /ImportValue/

/** What was given for names that stand nowhere in what was read: most likely another was meant. */
const idle = (files: readonly (Given | Fault)[], { parameters = {}, variables = {} }: ReadOptions): readonly Fault[] => {
  const texts = files.flatMap((file) => isFault(file) ? [] : [file.text])
  if (texts.some((text) => composed.test(text))) return []
  const unnamed = (option: string, given: object): readonly Fault[] => Object.keys(given)
    .filter((name) => /^\w+$/.test(name) && !texts.some((text) => text.includes(name)))
    .map((name) => ({ severity: 'warning', file: '', path: `${option}["${name}"]`, message: 'has no effect: nothing of this name stands in what was read' }))
  return [...unnamed('parameters', parameters), ...unnamed('variables', variables)]
}

const isFault = (file: Given | Fault): file is Fault => 'severity' in file

/** What is in each of the sources, in their order; each format gets all that those before it left. */
const readAll = async (sources: readonly Given[], options: ReadOptions, faults: Fault[]): Promise<readonly Read[]> => {
  const read = new Map<Source, Read>()
  for (const { read: readThese, replaces, mentions } of formats) {
    const isOpen = (source: Given): boolean => !read.has(source) && (!source.ofDirectory || mentions?.test(source.text) !== false)
    const { found, faults: told, taken } = await readThese(sources.filter(isOpen), options)
    faults.push(...told)
    const byFile = new Map([...taken].map(({ file }): [string, Found[]] => [file, []]))
    for (const one of found) byFile.get(one.file)?.push(one)
    for (const source of taken) read.set(source, { file: source.file, found: byFile.get(source.file)!, replaces })
  }
  for (const source of sources) if (!read.has(source)) faults.push(unknown(source))
  return sources.flatMap((source) => read.get(source) ?? [])
}

/** A directory holds other things too; a file that was named is meant. */
const unknown = ({ file, text, ofDirectory = false }: Given): Fault => {
  const what = text.trim() === '' ? 'is empty' : 'is in no format that is known here'
  return ofDirectory ? { severity: 'warning', file, message: `${what}: it is left out` }
    : { severity: 'error', file, message: `${what}: give ${formats.map(({ name }) => name).join(', ')}` }
}

/** A source, and whether it only stood in a directory that was named. */
interface Given extends Source { readonly ofDirectory?: boolean }

/** The same file may be named, and stand in a directory that is named too. */
const onceEach = (sources: readonly Given[]): readonly Given[] =>
  sources.filter(({ file, text }, at) => sources.findIndex((other) => other.file === file && other.text === text) === at)

const endings = /\.(?:json|ya?ml|template|tf)$/

/** Those that Terraform takes by itself. */
const values = /^(?:terraform|.*\.auto)\.tfvars(?:\.json)?$/

const isDefinition = (name: string): boolean => values.test(name) || (endings.test(name) && !name.endsWith('.tfvars.json'))

const filesOf = async (source: AppMeshSource): Promise<readonly (Given | Fault)[]> => {
  // Files lose their byte order mark when they are read.
  if (typeof source !== 'string' && !(source instanceof URL)) return [{ ...source, text: source.text.replace(/^\uFEFF/, '') }]
  const path = pathOf(source)
  const isDirectory = await stat(path).then((found) => found.isDirectory(), () => false)
  return isDirectory ? sourcesIn(path) : [await fileAt(path)]
}

/** The files right in a directory that may hold definitions; a fault for what cannot be read. */
export const sourcesIn = async (directory: string): Promise<readonly (Source | Fault)[]> => {
  try {
    const entries = await readdir(directory, { withFileTypes: true })
    const names = entries.filter((entry) => isDefinition(entry.name) && !entry.isDirectory()).map(({ name }) => name).sort()
    const files = names.map(async (name) => ({ ...await fileAt(join(directory, name)), ofDirectory: true }))
    if (files.length > 0) return await Promise.all(files)
    return [{ severity: 'error', file: directory, message: 'is a directory without a .json, .yaml, .yml, .template or .tf file right in it' }]
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException
    return [{ severity: 'error', file: directory, message: `cannot be read: ${code}` }]
  }
}

const fileAt = async (file: string): Promise<Source | Fault> => {
  try {
    return { file, text: await textOf(file) }
  } catch (error) {
    if (!(error instanceof MeshConfigError)) throw error
    return { severity: 'error', file, message: error.faults[0]!.message }
  }
}
