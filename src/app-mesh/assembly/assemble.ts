import { isDeepStrictEqual } from 'node:util'
import { check, didYouMean } from '../../mesh/faults.ts'
import { references } from './references.ts'
import { Definitions, faultAt, identityOf, type Bodies, type Defined } from './definitions.ts'
import { resources, type AppMeshDocument } from '../document.ts'
import type { BodyPath, Fault, Found } from '../found.ts'
import { neverMatching } from './never-matching.ts'

/** What one source brought. */
export interface Read {
  readonly file: string
  readonly found: readonly Found[]
  /** Whether its resources take the place of those read before. */
  readonly replaces: boolean
}

/** What was made of all sources. */
export interface Assembly {
  /** Absent where no mesh could be made out. */
  readonly document?: AppMeshDocument
  /** The resources that it consists of. */
  readonly found: readonly Found[]
  readonly faults: readonly Fault[]
}

/**
 * Puts what was found together to one document and says everything that is wrong with it.
 * `broken` says that sources could not be read: what is missing may stand in them, and is not complained about.
 */
export const assemble = (read: readonly Read[], wanted: string | undefined, broken: boolean): Assembly => {
  const faults: Fault[] = []
  const all = withoutTwins(withMesh(read, wanted, faults), faults)
  const file = all[0]?.file ?? read[0]?.file ?? ''
  if (all.length === 0 && !broken) faults.push({ severity: 'error', file, message: 'nothing of App Mesh is defined in what was read' })
  const { meshName, fault } = chosen(all, wanted)
  if (fault !== undefined) faults.push({ severity: 'error', file, message: fault })
  const kept = wanted === undefined ? all : all.filter((found) => meshNameOf(found) === wanted)
  const definitions = defining(kept, faults)
  if (!broken) faults.push(...references(definitions))
  faults.push(...neverMatching(definitions))
  if (meshName === undefined) return { found: kept, faults }
  faults.push(...strangers(kept, meshName))
  if (!kept.some(({ kind }) => kind === 'mesh')) {
    faults.push({ severity: 'warning', file, message: `mesh '${meshName}' itself is not defined in what was read: its defaults are taken (egressFilter DROP_ALL)` })
  }
  return { document: definitions.document(definitions.one('mesh', meshName) ?? { meshName }), found: kept, faults }
}

const defining = (kept: readonly Found[], faults: Fault[]): Definitions => {
  const defined = kept.flatMap((found): Defined[] => {
    const { value, faults: wrong } = check(resources[found.kind], found.body)
    // What its reader could not tell is told already.
    const told = (path: BodyPath): boolean => found.unread?.some((unread) => unread.every((step, at) => path[at] === step)) === true
    const said = wrong.filter(({ path }) => !told(path as BodyPath))
    faults.push(...said.map(({ path, message }) => faultAt('error', found, path as BodyPath, message)))
    return wrong.length === 0 ? [{ found, body: value as Bodies[Found['kind']] }] : []
  })
  const known = kept.map(({ kind, body }) => identityOf(kind, body)).filter((identity) => identity !== undefined)
  return new Definitions(defined, new Set(known))
}

/** Whether a resource names no mesh, though it belongs to one, and its reader knows of no reason. */
const isNameless = ({ kind, body, unread = [] }: Found): boolean => {
  if (kind === 'mesh' || typeof body !== 'object' || body === null || Object.hasOwn(body, 'meshName')) return false
  return !unread.some(([first]) => first === 'meshName')
}

/**
 * Gives resources that name no mesh the only one there is: `--mesh-name` stood on a command line, or the Mesh's manifest in
 * another place.
 */
const withMesh = (read: readonly Read[], wanted: string | undefined, faults: Fault[]): readonly Read[] => {
  const names = new Set(read.flatMap(({ found }) => found.map(meshNameOf)).filter((name) => typeof name === 'string'))
  const meshName = wanted ?? (names.size === 1 ? [...names][0] : undefined)
  const nameless = read.flatMap(({ found }) => found.filter(isNameless))
  if (meshName === undefined && nameless.length > 0) faults.push(ofNoMesh(nameless, names))
  return read.map((one) => ({
    ...one,
    found: one.found.map((found) => {
      if (!isNameless(found)) return found
      if (meshName === undefined) return { ...found, unread: [...found.unread ?? [], ['meshName']] }
      faults.push(faultAt('warning', found, [], `names no mesh: it is taken to belong to '${meshName}'`))
      return { ...found, body: { meshName, ...found.body as object } }
    }),
  }))
}

/** Told once: whoever left the mesh out of one manifest did so in all. */
const ofNoMesh = (nameless: readonly Found[], names: ReadonlySet<string>): Fault => {
  const others = nameless.length > 1 ? `, nor do ${nameless.length - 1} more` : ''
  const known = names.size === 0 ? 'nothing that is read does' : `several are named: ${quoted(names)}`
  return faultAt('error', nameless[0]!, [],
    `names no mesh${others}, and ${known}: say its name by the option \`mesh\` (--mesh), or read what defines it as well`)
}

/** The resources without those that a later source replaces. */
const withoutTwins = (read: readonly Read[], faults: Fault[]): readonly Found[] => {
  const kept = new Map<string, { readonly found: Found, readonly source: number }>()
  let nameless = 0
  read.forEach(({ found: all, replaces }, source) => {
    for (const found of all) {
      const identity = identityOf(found.kind, found.body) ?? `\0${nameless++}`
      const twin = kept.get(identity)
      if (twin && (twin.source === source || !replaces)) {
        const where = twin.found.file === found.file ? place(twin.found) : `${place(twin.found)} in ${twin.found.file}`
        faults.push(faultAt('error', found, [], `is defined already, by ${where}: take one of the two out`))
        continue
      }
      if (twin && !isDeepStrictEqual(twin.found.body, found.body)) {
        faults.push(faultAt('warning', found, [], `replaces the definition of the same name that ${twin.found.file} has`))
      }
      kept.set(identity, { found, source })
    }
  })
  return [...kept.values()].map(({ found }) => found)
}

const place = (found: Found): string => found.at([]) || found.resource

const quoted = (names: Iterable<string>): string => [...names].map((name) => `'${name}'`).join(', ')

const meshNameOf = ({ body }: Found): unknown => (body as { readonly meshName?: unknown } | null)?.meshName

interface Choice {
  readonly meshName?: string
  readonly fault?: string
}

/** The mesh that is meant: the one asked for, the only one defined, or the only one that the resources name. */
const chosen = (kept: readonly Found[], wanted: string | undefined): Choice => {
  const named = new Set(kept.map(meshNameOf).filter((name) => typeof name === 'string'))
  const defined = new Set(kept.filter(({ kind }) => kind === 'mesh').map(meshNameOf).filter((name) => typeof name === 'string'))
  if (wanted !== undefined) return named.has(wanted) ? { meshName: wanted } : { fault: `there is no mesh '${wanted}': ${didYouMean(wanted, [...named])}` }
  const choices = defined.size > 0 ? defined : named
  const [meshName] = choices
  if (choices.size > 1) return { fault: `several meshes are defined: ${quoted(choices)}. Say which is meant by the option \`mesh\`, or by --mesh NAME` }
  return meshName === undefined ? {} : { meshName }
}

const strangers = (kept: readonly Found[], meshName: string): readonly Fault[] => kept
  .filter((found) => typeof meshNameOf(found) === 'string' && meshNameOf(found) !== meshName)
  .map((found) => faultAt('warning', found, ['meshName'], `is '${String(meshNameOf(found))}', not '${meshName}': this one is left alone when the mesh runs`))
