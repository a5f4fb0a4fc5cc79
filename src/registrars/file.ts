import { chmod, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { duration } from '../config/duration.ts'
import type { EndpointSpec } from '../core/endpoint.ts'
import { kind } from '../core/family.ts'
import { endpointsIn, isYaml, listPath, listText } from '../registries/file.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { Lock } from './file-lock.ts'
import { listing, type Listing, type Registrar } from './registrar.ts'

const fileConfig = z.strictObject({
  path: listPath.describe('The file, .json, .yaml or .yml: the list of endpoints that the registry file reads. It is made where there is none.'),
  weight: z.number().positive().max(1_000_000).optional().describe('Its share of the traffic relative to the others, above 0; 1 by default.'),
  tls: z.boolean().optional().describe('Whether it is dialled with TLS; as those who read say by default.'),
  interval: duration.default(10_000).refine((ms) => ms >= 1_000, 'must be at least 1s').describe('How often it is looked whether the file still has the instance.'),
})

type FileConfig = z.output<typeof fileConfig>

/** The list as it is written, and how to write it without an entry, and with one at its end. */
interface Written {
  readonly endpoints: readonly EndpointSpec[]
  without(at: readonly number[]): Written
  with(entry: object): Written
  text(): string
}

const jsonList = (list: readonly unknown[], endpoints: readonly EndpointSpec[]): Written => ({
  endpoints,
  without: (at) => jsonList(list.filter((_, index) => !at.includes(index)), endpoints),
  with: (entry) => jsonList([...list, entry], endpoints),
  text: () => list.length === 0 ? '[]\n' : `[\n${list.map((entry) => `  ${JSON.stringify(entry)}`).join(',\n')}\n]\n`,
})

/** Edits the document and not what it says, so comments stay. */
const yamlList = async (text: string, endpoints: readonly EndpointSpec[]): Promise<Written> => {
  const { parseDocument, isSeq } = await import('yaml')
  const document = parseDocument(text)
  // An empty list is written in brackets, and one that grows line by line.
  if (isSeq(document.contents)) document.contents.flow = false
  const made: Written = {
    endpoints,
    without: (at) => {
      for (const index of [...at].sort((a, b) => b - a)) document.deleteIn([index])
      return made
    },
    with: (entry) => {
      document.addIn([], document.createNode(entry))
      return made
    },
    text: () => document.toString(),
  }
  return made
}

/** Reads the list, which is empty where there is no file; throws for one with faults, which is never written over. */
const read = async (path: string): Promise<Written> => {
  const text = await listText(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    return '[]'
  })
  const endpoints = await endpointsIn(path, text)
  return isYaml(path) ? yamlList(text, endpoints) : jsonList(JSON.parse(text) as unknown[], endpoints)
}

/** Where the file really is: a link to it must stay one. */
const placeOf = async (path: string): Promise<string> => {
  try {
    return await realpath(path)
  } catch {
    return resolve(path)
  }
}

/** Writes a file that is either the old one or the new one, whenever somebody looks. */
const replace = async (path: string, text: string, mark: string): Promise<void> => {
  const beside = join(dirname(path), `.${basename(path)}.${mark}`)
  const mode = await stat(path).then(({ mode }) => mode & 0o777, () => undefined)
  try {
    await writeFile(beside, text, { flag: 'wx' })
    if (mode !== undefined) await chmod(beside, mode)
    await rename(beside, path)
  } finally {
    await rm(beside, { force: true })
  }
}

const listed = ({ path, weight, tls, interval }: FileConfig, { clock, ids }: Runtime, id: string, details: { readonly address: string }): Listing => {
  const mark = Math.floor(ids() * 2 ** 48).toString(36)
  const entry = { id, ...details, ...(weight !== undefined && { weight }), ...(tls !== undefined && { tls }) }
  const isOwn = (one: EndpointSpec): boolean => (one.id ?? one.address) === id
  /** Whoever had the address before is gone, and could not take itself away. */
  const isForerunner = (one: EndpointSpec): boolean => isOwn(one) || one.address === details.address
  const change = async (signal: AbortSignal, leaves: (one: EndpointSpec) => boolean, added: object | undefined): Promise<void> => {
    const place = await placeOf(path)
    await new Lock(place, mark, clock).hold(signal, async () => {
      const list = await read(place)
      const leaving = list.endpoints.flatMap((one, index) => leaves(one) ? [index] : [])
      if (leaving.length === 0 && !added) return
      const rest = list.without(leaving)
      await replace(place, (added ? rest.with(added) : rest).text(), mark)
    })
  }
  return {
    every: interval,
    // A file is believed once it stands still, and where the system tells of no change it is looked at every 10 s.
    propagation: 12_000,
    register: (signal) => change(signal, isForerunner, entry),
    renew: async () => (await read(await placeOf(path))).endpoints.some((one) => isOwn(one) && one.address === details.address),
    deregister: (signal) => change(signal, isOwn, undefined),
  }
}

/**
 * An instance in a JSON or YAML file, as the registry file reads it. The file is replaced as a whole, so nobody reads half of one, and processes that change it at
 * the same time wait for one another by a lock beside it. A file has no leases: an instance that dies without leaving stays until another one takes its address.
 */
export const file = kind('file', fileConfig, (config, runtime): Registrar =>
  ({ id, address, metadata }) => listing(listed(config, runtime, id, { address, ...(Object.keys(metadata).length > 0 && { metadata }) })))
