import { stat } from 'node:fs/promises'
import type { Source } from '../app-mesh/index.ts'
import { sourcesIn } from '../app-mesh/read.ts'
import { textOf } from '../config-file/load.ts'
import { MeshConfigError } from '../core/errors.ts'
import { builtIn, meshConfig } from '../mesh/config.ts'
import { UsageError } from './result.ts'

/** One of the things that a command was given. */
export interface Given {
  /** As it was written on the command line. */
  readonly path: string
  /** A configuration of enmesh, or (part of) a definition of App Mesh. */
  readonly kind: 'enmesh' | 'app-mesh'
  /** What is to be read in place of the path; absent where the path does. */
  readonly sources?: readonly (Source | string)[]
}

const isModule = /\.[mc]?[jt]s$/
const maySayEither = /\.(?:json|ya?ml)$/i

const ours: ReadonlySet<string> = new Set(['$schema', ...Object.keys(meshConfig(builtIn).shape)])
const theirs = /^(?:AWSTemplateFormatVersion|Resources|apiVersion|kind|format_version|terraform_version|mesh|meshes|(?:virtual\w+|route|gatewayRoute)s?|.+Name)$/

/** Names at the top of a text in JSON or YAML, also of one that is not quite either. */
const topNames = async (text: string): Promise<readonly string[]> => {
  try {
    // A state of many megabytes is read many times faster by this.
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : []
  } catch {
    return topNamesOfYaml(text)
  }
}

const topNamesOfYaml = async (text: string): Promise<readonly string[]> => {
  const { parseDocument, isMap } = await import('yaml')
  const { contents } = parseDocument(text, { logLevel: 'silent', stringKeys: true, uniqueKeys: false })
  return isMap(contents) ? contents.items.map(({ key }) => String(key)) : []
}

const isOurs = async (text: string): Promise<boolean> => {
  const names = await topNames(text)
  return names.some((name) => ours.has(name)) && !names.some((name) => theirs.test(name))
}

/** In a directory there are files of others too: one of Docker Compose has `services` as well, beside names of its own. */
const isWhollyOurs = async (text: string): Promise<boolean> => {
  const names = await topNames(text)
  return names.length > 0 && names.every((name) => ours.has(name))
}

const mayBeOurs = (file: string): boolean => maySayEither.test(file) && !/\.tf(?:vars)?\.json$/.test(file)

/** Tells by its content what a file is. In a directory each is looked at by itself: configurations stand for themselves there too. */
export const givenAt = async (path: string, stdin: () => Promise<string>): Promise<readonly Given[]> => {
  if (path === '-') return [await standardInput(stdin)]
  if (isModule.test(path)) return [{ path, kind: 'enmesh' }]
  if (await stat(path).then((found) => found.isDirectory(), () => false)) return inDirectory(path)
  if (!mayBeOurs(path)) return [{ path, kind: 'app-mesh' }]
  try {
    return [{ path, kind: await isOurs(await textOf(path)) ? 'enmesh' : 'app-mesh' }]
  } catch (error) {
    // What cannot be read is told, with its reason, by whoever reads it.
    if (error instanceof MeshConfigError) return [{ path, kind: 'app-mesh' }]
    throw error
  }
}

const standardInput = async (stdin: () => Promise<string>): Promise<Given> => {
  const text = await stdin()
  if (await isOurs(text)) {
    throw new UsageError('what came in at stdin is a configuration of enmesh: give it as a file, by whose ending it is read')
  }
  return { path: '-', kind: 'app-mesh', sources: [{ file: '-', text }] }
}

const inDirectory = async (directory: string): Promise<readonly Given[]> => {
  const ours: Given[] = []
  const theirs: (Source | string)[] = []
  for (const found of await sourcesIn(directory)) {
    // Of what cannot be read, whoever reads it tells why.
    if (!('text' in found)) theirs.push(found.file)
    else if (mayBeOurs(found.file) && await isWhollyOurs(found.text)) ours.push({ path: found.file, kind: 'enmesh' })
    else theirs.push(found)
  }
  return theirs.length > 0 ? [{ path: directory, kind: 'app-mesh', sources: theirs }, ...ours] : ours
}
