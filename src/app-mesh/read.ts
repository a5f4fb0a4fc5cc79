import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pathOf, textOf } from '../config-file/load.ts'
import { MeshConfigError } from '../core/errors.ts'
import { assemble, type Read } from './assembly/assemble.ts'
import type { AppMeshDocument } from './document.ts'
import { AppMeshError } from './error.ts'
import type { Format, Reading } from './formats/format.ts'
import { formats, groupFormats } from './formats/index.ts'
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
  const faults: Fault[] = []
  const read: Read[] = []
  const files = (await Promise.all(list.map(filesOf))).flat()
  const grouped = new Map<Source, Read>()
  for (const { read: readAll, replaces } of groupFormats) {
    const { found, faults: told, taken } = await readAll(files.filter((file): file is Source => !('severity' in file) && !grouped.has(file)), options)
    faults.push(...told)
    for (const source of taken) grouped.set(source, { file: source.file, found: found.filter(({ file }) => file === source.file), replaces })
  }
  for (const source of files) {
    if ('severity' in source) faults.push(source)
    else if (grouped.has(source)) read.push(grouped.get(source)!)
    else {
      const { reading, format } = await readOne(source, options)
      faults.push(...reading.faults)
      read.push({ file: source.file, found: reading.found, replaces: format?.replaces ?? false })
    }
  }
  const { document, found, faults: odd } = assemble(read, options.mesh, faults.some(({ severity }) => severity === 'error'))
  const all = [...faults, ...odd, ...idle(files, options)]
  if (!document || all.some(({ severity }) => severity === 'error')) throw new AppMeshError(all)
  return { document, found, warnings: all }
}

/** Names that files may make of parts, so that they stand nowhere as they are. */
const composed = /ImportValue/

/** What was given for names that stand nowhere in what was read: most likely another was meant. */
const idle = (files: readonly (Source | Fault)[], { parameters = {}, variables = {} }: ReadOptions): readonly Fault[] => {
  const texts = files.flatMap((file) => 'severity' in file ? [] : [file.text])
  if (texts.some((text) => composed.test(text))) return []
  const unnamed = (option: string, given: object): readonly Fault[] => Object.keys(given)
    .filter((name) => /^\w+$/.test(name) && !texts.some((text) => text.includes(name)))
    .map((name) => ({ severity: 'warning', file: '', path: `${option}["${name}"]`, message: 'has no effect: nothing of this name stands in what was read' }))
  return [...unnamed('parameters', parameters), ...unnamed('variables', variables)]
}

const looksNative = /^(?:services|clusters):/m

const readOne = async (
  source: Source, options: ReadOptions,
): Promise<{ readonly reading: Reading, readonly format?: Format }> => {
  for (const format of formats) {
    const reading = await format.read(source, options)
    if (reading) return { reading, format }
  }
  const ours = looksNative.test(source.text) ? '. If it is a configuration of enmesh, give it by its own name: a directory is read as App Mesh alone' : ''
  const message = `is in no format that is known here: give ${[...groupFormats, ...formats].map(({ name }) => name).join(', ')}${ours}`
  return { reading: { found: [], faults: [{ severity: 'error', file: source.file, message }] } }
}

const endings = /\.(json|ya?ml|template|tf)$/
const values = /\.tfvars(\.json)?$/

/** Of a directory's values for Terraform's variables, those that it takes by itself; others, as those of a stage, are given by name. */
const isTaken = (name: string): boolean => values.test(name) ? /^terraform\.tfvars|\.auto\.tfvars/.test(name) : endings.test(name)

/** By name, and as Terraform does `terraform.tfvars` before any `*.auto.tfvars`, which stand over it. */
const inOrder = (a: string, b: string): number => Number(a.includes('.auto.tfvars')) - Number(b.includes('.auto.tfvars')) || (a < b ? -1 : 1)

const filesOf = async (source: AppMeshSource): Promise<readonly (Source | Fault)[]> => {
  // Files lose their byte order mark when they are read.
  if (typeof source !== 'string' && !(source instanceof URL)) return [{ ...source, text: source.text.replace(/^\uFEFF/, '') }]
  const path = pathOf(source)
  const isDirectory = await stat(path).then((found) => found.isDirectory(), () => false)
  if (!isDirectory) return [await fileAt(path)]
  const names = (await readdir(path)).filter(isTaken).sort(inOrder)
  if (names.length > 0) return Promise.all(names.map((name) => fileAt(join(path, name))))
  return [{ severity: 'error', file: path, message: 'is a directory without a .json, .yaml, .yml, .template or .tf file right in it' }]
}

const fileAt = async (file: string): Promise<Source | Fault> => {
  try {
    return { file, text: await textOf(file) }
  } catch (error) {
    if (!(error instanceof MeshConfigError)) throw error
    return { severity: 'error', file, message: error.faults[0]!.message }
  }
}
