import { stat } from 'node:fs/promises'
import type { Source } from '../app-mesh/index.ts'
import { textOf } from '../config-file/load.ts'
import { MeshConfigError } from '../core/errors.ts'
import { builtIn, meshConfig } from '../mesh/config.ts'

/** One of the things that a command was given. */
export interface Given {
  /** As it was written on the command line. */
  readonly path: string
  /** A configuration of enmesh, or (part of) a definition of App Mesh. */
  readonly kind: 'enmesh' | 'app-mesh'
  /** What is to be read in place of the path; absent where the path does. */
  readonly source?: Source
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

/** Tells by its content what a file is; a directory, and what stands at stdin (`-`), is App Mesh's. */
export const givenAt = async (path: string, stdin: () => Promise<string>): Promise<Given> => {
  if (path === '-') return { path, kind: 'app-mesh', source: { file: '-', text: await stdin() } }
  if (isModule.test(path)) return { path, kind: 'enmesh' }
  const isDirectory = await stat(path).then((found) => found.isDirectory(), () => false)
  if (isDirectory || !maySayEither.test(path) || path.endsWith('.tf.json')) return { path, kind: 'app-mesh' }
  try {
    return { path, kind: await isOurs(await textOf(path)) ? 'enmesh' : 'app-mesh' }
  } catch (error) {
    // What cannot be read is told, with its reason, by whoever reads it.
    if (error instanceof MeshConfigError) return { path, kind: 'app-mesh' }
    throw error
  }
}
