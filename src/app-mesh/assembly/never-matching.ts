import { isDeepStrictEqual } from 'node:util'
import { normalPath } from '../../matchers/path.ts'
import { conditionsOf, type Conditions, type PathCondition } from './conditions.ts'
import { faultAt, type Defined, type Definitions } from './definitions.ts'
import type { HeaderMatch } from '../document/match.ts'
import type { Route } from '../document.ts'
import type { BodyPath, Fault } from '../found.ts'

/** The member of a route's spec that says what it does, and the route in it. */
export const kindOf = ({ spec }: Route) => {
  for (const kind of ['httpRoute', 'http2Route', 'grpcRoute', 'tcpRoute'] as const) {
    const route = spec[kind]
    if (route) return { kind, route }
  }
  throw new TypeError('a route whose shape is right is of one kind')
}

/** A route with what it asks for, and where it comes among the others. */
interface Placed {
  readonly route: Defined<'route'>
  readonly kind: string
  readonly conditions: Conditions
  readonly place: number
}

/** Where those come that have no priority. */
const last = 1_001

const placed = (route: Defined<'route'>): Placed => ({
  route, kind: kindOf(route.body).kind, conditions: conditionsOf(route.body), place: route.body.spec.priority ?? last,
})

/** Routes that no request can ever reach, because of what they ask for, or because of one that comes before. */
export const neverMatching = (definitions: Definitions): readonly Fault[] => {
  const routers = new Map<string, Placed[]>()
  for (const route of definitions.all('route')) {
    const router = `${route.body.meshName}\0${route.body.virtualRouterName}`
    const others = routers.get(router)
    if (others) others.push(placed(route))
    else routers.set(router, [placed(route)])
  }
  return [...routers.values()].flatMap((all) => all.flatMap((one, index) => {
    const impossible = impossibilities(one.route)
    return impossible.length > 0 ? impossible : shadows(one, index, all)
  }))
}

const never = (message: string): string => `can never match: ${message}`

const impossibilities = ({ found, body }: Defined<'route'>): readonly Fault[] =>
  impossible(body).map(({ path, message }) => faultAt('warning', found, path, message))

/** Why no request can meet what a route asks for, if so, with the places. */
export const impossible = (route: Route): readonly { readonly path: BodyPath, readonly message: string }[] => {
  const { kind } = kindOf(route)
  const at = (path: BodyPath, message: string) => ({ path: ['spec', kind, 'match', ...path], message: never(message) })
  const { path, headers, query } = conditionsOf(route)
  return [
    ...(path ? unnormal(path).map((message) => at(placeOfPath(kind, path), message)) : []),
    ...contradictions(headers).map((name) => at([kind === 'grpcRoute' ? 'metadata' : 'headers'], `no '${name}' meets all that is asked of it`)),
    ...contradictions(query.map(({ name, exact }) => ({ name, match: { exact } }))).map((name) => at(['queryParameters'], `no '${name}' meets all that is asked of it`)),
  ]
}

/** Where a route asks for the path; one of gRPC by the names that it is made of. */
const placeOfPath = (kind: string, path: PathCondition): BodyPath => {
  if (kind === 'grpcRoute') return ['prefix' in path ? 'serviceName' : 'methodName']
  return 'prefix' in path ? ['prefix'] : ['path', 'exact']
}

const unnormal = (path: PathCondition): readonly string[] => {
  if ('regex' in path) return []
  const written = 'prefix' in path ? path.prefix : path.exact
  if (!written.startsWith('/')) return [`every path begins with '/'; write '/${written}'`]
  if (/[?#]/.test(written)) return ["a path has neither '?' nor '#': match the query by `queryParameters`"]
  const normal = normalPath(written)
  return normal === written ? [] : [`paths are compared in their normal form; write '${normal}'`]
}

const isAbsence = ({ invert, match }: HeaderMatch): boolean => invert === true && match === undefined

/** Names of headers of which things are asked that exclude one another. */
const contradictions = (headers: readonly HeaderMatch[]): readonly string[] => {
  const names = [...new Set(headers.map(({ name }) => name.toLowerCase()))]
  return names.filter((name) => {
    const asked = headers.filter((header) => header.name.toLowerCase() === name)
    const values = new Set(asked.filter(({ invert }) => invert !== true).map(({ match }) => match?.exact).filter((value) => value !== undefined))
    return values.size > 1 || (asked.some(isAbsence) && !asked.every(isAbsence))
  })
}

const shadows = ({ route, kind, conditions, place }: Placed, index: number, all: readonly Placed[]): readonly Fault[] => {
  const before = all.find((other, at) => {
    if (at === index || other.kind !== kind) return false
    if (other.place < place) return covers(other.conditions, conditions)
    return other.place === place && at < index && covers(other.conditions, conditions) && covers(conditions, other.conditions)
  })
  if (!before) return []
  const message = never(`route '${before.route.body.routeName}' comes first and takes every request that this one is for`)
  return [faultAt('warning', route.found, ['spec'], message)]
}

/** Whether every request that meets the second conditions meets the first. */
export const covers = (wide: Conditions, narrow: Conditions): boolean =>
  coversPath(wide.path, narrow.path)
  && (['method', 'scheme', 'port'] as const).every((field) => wide[field] === undefined || wide[field] === narrow[field])
  && wide.headers.every((header) => narrow.headers.some((other) => impliesHeader(other, header)))
  && wide.query.every(({ name, exact }) => narrow.query.some((other) => other.name === name && (exact === undefined || other.exact === exact)))

const coversPath = (wide: PathCondition | undefined, narrow: PathCondition | undefined): boolean => {
  if (wide === undefined || ('prefix' in wide && wide.prefix === '/')) return true
  if (narrow === undefined) return false
  if (!('prefix' in wide)) return isDeepStrictEqual(wide, narrow)
  if ('prefix' in narrow) return narrow.prefix.startsWith(wide.prefix)
  return 'exact' in narrow && narrow.exact.startsWith(wide.prefix)
}

const settled = ({ name, invert, match }: HeaderMatch) => ({ name: name.toLowerCase(), invert: invert === true, match })

const impliesHeader = (narrow: HeaderMatch, wide: HeaderMatch): boolean => {
  if (isDeepStrictEqual(settled(narrow), settled(wide))) return true
  // A value that is compared has to be there, also where the comparison is turned round.
  return narrow.name.toLowerCase() === wide.name.toLowerCase() && wide.match === undefined && wide.invert !== true && narrow.match !== undefined
}
