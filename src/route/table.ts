import { isDeepStrictEqual } from 'node:util'
import type { RequestHead } from '../core/request.ts'
import type { Matcher } from '../matchers/matcher.ts'

/** What a route must have to stand in a table; everything else is its own business. */
export interface Routable<Match> {
  /** The conditions that must all hold; without any, every request matches. */
  readonly match?: Match | undefined
  /** 0 is first; routes without one come after all that have one. */
  readonly priority?: number | undefined
}

/** What became of one route for one request. */
export interface RouteExplanation<Route> {
  readonly route: Route
  /** Its place in the order written, from 0. */
  readonly index: number
  /** Whether all its conditions hold. */
  readonly matched: boolean
  /** Whether it is the one that the request takes. */
  readonly chosen: boolean
  /** In words: which conditions don't hold, or why it isn't chosen though they do. Absent for the chosen one. */
  readonly reason?: string
}

/** Routes, compiled. */
export interface RouteTable<Route> {
  /** The route for a request; `undefined` where none matches. */
  find(request: RequestHead): Route | undefined
  /** What became of every route for a request, in order of precedence. */
  explain(request: RequestHead): readonly RouteExplanation<Route>[]
}

interface Entry<Route> {
  readonly route: Route
  readonly index: number
  readonly priority: number
  readonly rank: number
  readonly conditions: number
  readonly matchers: readonly Matcher[]
}

// Ranks and priorities may be infinite, so they are compared and not subtracted.
const order = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : 0)

const precedence = (a: Entry<unknown>, b: Entry<unknown>): number =>
  order(a.priority, b.priority) || order(b.rank, a.rank) || order(b.conditions, a.conditions) || order(a.index, b.index)

const meets = (matchers: readonly Matcher[], request: RequestHead): boolean => {
  for (const matcher of matchers) if (!matcher.matches(request)) return false
  return true
}

const entriesOf = <Match, Route extends Routable<Match>>(
  routes: readonly Route[],
  matchers: { make(match: Match): readonly Matcher[] },
): readonly Entry<Route>[] => routes.map((route, index): Entry<Route> => {
  const made = route.match === undefined ? [] : matchers.make(route.match)
  return {
    route,
    index,
    priority: route.priority ?? Number.POSITIVE_INFINITY,
    rank: Math.max(0, ...made.map(({ rank = 0 }) => rank)),
    conditions: made.reduce((sum, { conditions }) => sum + conditions, 0),
    matchers: made,
  }
}).sort(precedence)

/** Routes in the order in which a table asks them. */
export const inOrder = <Match, Route extends Routable<Match>>(
  routes: readonly Route[],
  matchers: { make(match: Match): readonly Matcher[] },
): readonly Route[] => entriesOf(routes, matchers).map(({ route }) => route)

/**
 * Compiles routes to a table. The first that matches is taken, in this order: explicit `priority` (0 first, before all
 * routes without one); exact path over longest prefix over regular expression over none; more conditions over fewer;
 * the order written.
 */
export const routeTable = <Match, Route extends Routable<Match>>(
  routes: readonly Route[],
  matchers: { make(match: Match): readonly Matcher[] },
): RouteTable<Route> => {
  const entries = entriesOf(routes, matchers)
  return {
    find: (request) => {
      for (const entry of entries) if (meets(entry.matchers, request)) return entry.route
      return undefined
    },
    explain: (request) => {
      const chosen = entries.find((entry) => meets(entry.matchers, request))
      return entries.map((entry) => explanation(entry, chosen, request))
    },
  }
}

const explanation = <Route>(
  entry: Entry<Route>,
  chosen: Entry<Route> | undefined,
  request: RequestHead,
): RouteExplanation<Route> => {
  const { route, index } = entry
  const unmet = entry.matchers.filter((matcher) => !matcher.matches(request))
  if (unmet.length > 0) {
    return { route, index, matched: false, chosen: false, reason: unmet.map((matcher) => matcher.explain(request)).join(', ') }
  }
  if (entry === chosen) return { route, index, matched: true, chosen: true }
  return { route, index, matched: true, chosen: false, reason: `it matches too, but route ${chosen!.index} comes before it` }
}

/**
 * Finds routes that can never be taken, because an earlier one has the same conditions and the same priority.
 * Pairs of places in the order written: the route, the one before it.
 */
export const unreachable = (routes: readonly Routable<unknown>[]): readonly (readonly [route: number, before: number])[] =>
  routes.flatMap((route, index) => {
    const before = routes.findIndex(({ priority, match }) =>
      priority === route.priority && isDeepStrictEqual(match ?? {}, route.match ?? {}))
    return before < index ? [[index, before] as const] : []
  })
