import { isDeepStrictEqual } from 'node:util'
import { matchers } from '../matchers/index.ts'
import { isPlain, placeOf } from '../mesh/faults.ts'
import type { MeshStatus, RouteStatus } from '../mesh/mesh.ts'
import { inOrder } from '../route/table.ts'
import { readReady, refuseIdle, type DefinitionOptions } from './definitions.ts'
import { howMany, stops } from './faults.ts'
import { statusAtRest } from './mesh-at-rest.ts'
import { exit, failed, type Result } from './result.ts'
import { destination, registryInWords, valueInWords, type Steps } from './words.ts'
import type { Paint, World } from './world.ts'

/** What one value was, and what it becomes. */
interface Detail {
  /** Its place, in the effective configuration. */
  readonly path: string
  readonly before?: unknown
  readonly after?: unknown
  readonly words: string
}

/** One thing that a change adds, changes or removes. */
interface Change {
  readonly change: 'added' | 'changed' | 'removed'
  readonly what: 'service' | 'route' | 'cluster' | 'mesh'
  readonly name: string
  /** Whose route it is. */
  readonly service?: string
  /** What it is, or was, in a few words. */
  readonly about?: string
  readonly details: readonly Detail[]
}

const phrase = (label: string, before: unknown, after: unknown, steps: Steps): string => {
  if (after === undefined) return `${label} is gone; it was ${valueInWords(before, steps)}`
  if (before === undefined) return `${label} is ${valueInWords(after, steps)}; there was none`
  return `${label} is ${valueInWords(after, steps)}; it was ${valueInWords(before, steps)}`
}

const detailOf = (before: unknown, after: unknown, steps: Steps): Detail => {
  const path = placeOf(steps)
  return {
    path,
    ...(before !== undefined && { before }),
    ...(after !== undefined && { after }),
    words: steps.length === 1 && steps[0] === 'to' ? `goes ${towards(after)}; it went ${towards(before)}` : phrase(path, before, after, steps),
  }
}

const towards = (to: unknown): string => destination(to).includes(' % to ') ? destination(to) : `to ${destination(to)}`

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => isPlain(value) && !Array.isArray(value)

/** The innermost differences of two values. Lists, and what a route sends to, count as one value. */
const detailsOf = (before: unknown, after: unknown, steps: Steps = []): readonly Detail[] => {
  if (isDeepStrictEqual(before, after)) return []
  // What is there on one side only is told part by part too.
  const [old, now] = [before ?? (isObject(after) ? {} : undefined), after ?? (isObject(before) ? {} : undefined)]
  if (!isObject(old) || !isObject(now) || steps.at(-1) === 'to') return [detailOf(before, after, steps)]
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])]
  return names.flatMap((name) => detailsOf(old[name], now[name], [...steps, name]))
}

/** Pairs things by name, those before first. */
const paired = <Thing>(before: Readonly<Record<string, Thing>>, after: Readonly<Record<string, Thing>>): readonly (readonly [string, Thing | undefined, Thing | undefined])[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])].map((name) =>
    [name, Object.hasOwn(before, name) ? before[name] : undefined, Object.hasOwn(after, name) ? after[name] : undefined])

const byName = (routes: readonly RouteStatus[]): Readonly<Record<string, RouteStatus>> => Object.fromEntries(routes.map((route) => [route.name, route]))

const aboutRoute = ({ config: { match, to } }: RouteStatus): string => {
  const conditions = detailsOf({}, match ?? {}).map(({ path, after }) => `${path} is ${valueInWords(after, [])}`)
  return `${conditions.length === 0 ? 'everything' : `where ${conditions.join(' and ')}`}, ${towards(to)}`
}

const aboutService = (routes: readonly RouteStatus[]): string => {
  const [only] = routes
  return only && routes.length === 1 && only.config.match === undefined ? towards(only.config.to) : howMany(routes.length, 'route')
}

const routeChanges = (service: string, before: readonly RouteStatus[], after: readonly RouteStatus[]): readonly Change[] =>
  paired(byName(before), byName(after)).flatMap(([name, old, now]): Change[] => {
    if (!old) return [{ change: 'added', what: 'route', name, service, about: aboutRoute(now!), details: [] }]
    if (!now) return [{ change: 'removed', what: 'route', name, service, about: aboutRoute(old), details: [] }]
    const details = detailsOf(old.config, now.config)
    return details.length === 0 ? [] : [{ change: 'changed', what: 'route', name, service, details }]
  })

/** The names of routes that both have, in the order in which they are asked. */
const tried = (routes: readonly RouteStatus[], common: ReadonlySet<string>): readonly string[] =>
  inOrder(routes.map(({ name, config: { match, priority } }) => ({ name, match, priority })), matchers).map(({ name }) => name).filter((name) => common.has(name))

const orderOf = (before: readonly RouteStatus[], after: readonly RouteStatus[]): readonly Detail[] => {
  const names = new Set(after.map(({ name }) => name))
  const common = new Set(before.map(({ name }) => name).filter((name) => names.has(name)))
  const [old, now] = [tried(before, common), tried(after, common)]
  if (isDeepStrictEqual(old, now)) return []
  return [{ path: 'order', before: old, after: now, words: `routes are asked in the order ${now.join(', ')}; it was ${old.join(', ')}` }]
}

const serviceChanges = (before: MeshStatus, after: MeshStatus): readonly Change[] =>
  paired(before.services, after.services).flatMap(([name, old, now]): readonly Change[] => {
    if (!old) return [{ change: 'added', what: 'service', name, about: aboutService(now!.routes), details: [] }]
    if (!now) return [{ change: 'removed', what: 'service', name, about: aboutService(old.routes), details: [] }]
    const routes = routeChanges(name, old.routes, now.routes)
    const details = orderOf(old.routes, now.routes)
    return routes.length + details.length === 0 ? [] : [{ change: 'changed', what: 'service', name, details }, ...routes]
  })

type Config = MeshStatus['clusters'][string]['config']

const clusterDetails = ({ registry: old, ...before }: Config, { registry: now, ...after }: Config): readonly Detail[] => {
  const moved = old.type === now.type ? detailsOf(old, now, ['registry']) : [{
    path: 'registry', before: old, after: now, words: `endpoints come from ${registryInWords(now)}; they came from ${registryInWords(old)}`,
  }]
  return [...moved, ...detailsOf(before, after)]
}

const clusterChanges = (before: MeshStatus, after: MeshStatus): readonly Change[] =>
  paired(before.clusters, after.clusters).flatMap(([name, old, now]): readonly Change[] => {
    if (!old) return [{ change: 'added', what: 'cluster', name, about: registryInWords(now!.config.registry), details: [] }]
    if (!now) return [{ change: 'removed', what: 'cluster', name, about: registryInWords(old.config.registry), details: [] }]
    const details = clusterDetails(old.config, now.config)
    return details.length === 0 ? [] : [{ change: 'changed', what: 'cluster', name, details }]
  })

const meshChanges = ({ config: before }: MeshStatus, { config: after }: MeshStatus): readonly Change[] =>
  (['egress', 'telemetry', 'replayLimit', 'drain'] as const).flatMap((name): Change[] => {
    const details = detailsOf(before[name], after[name], [name])
    return details.length === 0 ? [] : [{ change: 'changed', what: 'mesh', name, details }]
  })

const marks = { added: ['+', 'green'], changed: ['~', 'yellow'], removed: ['-', 'red'] } as const

const inWords = (changes: readonly Change[], paint: Paint): string => {
  if (changes.length === 0) return 'no difference: every service, route and cluster is the same'
  return changes.flatMap(({ change, what, name, service, about, details }) => {
    const [mark, colour] = marks[change]
    const indent = service === undefined ? '' : '    '
    const head = `${indent}${paint(colour, `${mark} ${what} ${name}`)}${about === undefined ? '' : `: ${about}`}`
    return [head, ...details.map(({ words }) => `${indent}    ${words}`)]
  }).join('\n')
}

/** How two definitions are compared. */
export interface DiffOptions extends DefinitionOptions {
  /** Whether a difference makes an exit code of its own. */
  readonly exitCode?: boolean
}

/** Says what a mesh would do otherwise under a new definition. */
export const diff = async (oldPath: string, newPath: string, options: DiffOptions, world: World): Promise<Result> => {
  const old = await readReady([oldPath], options, world)
  const now = await readReady([newPath], options, world)
  const faults = [...old.faults, ...now.faults]
  const withheld = new Map([...old.withheld, ...now.withheld])
  if (!old.config || !now.config || stops(faults)) return failed(faults, withheld)
  refuseIdle([old.definition, now.definition], options)
  const [before, after] = [await statusAtRest(old.config), await statusAtRest(now.config)]
  const changes = [...serviceChanges(before, after), ...clusterChanges(before, after), ...meshChanges(before, after)]
  return {
    code: changes.length > 0 && options.exitCode === true ? exit.differences : exit.well,
    faults,
    warnings: 'counted',
    text: (paint) => inWords(changes, paint),
    data: { same: changes.length === 0, changes },
    withheld,
  }
}
