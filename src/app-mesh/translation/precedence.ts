import { matchers } from '../../matchers/index.ts'
import { inOrder } from '../../route/table.ts'
import type { MatchInput } from './routes.ts'

const highest = 1_000

interface Unplaced {
  readonly match?: MatchInput | undefined
  readonly priority?: number | undefined
}

/**
 * Sorts routes as they are tried and gives each a priority. Numbers that were written stay where there is room after them for the
 * routes without one; otherwise all are counted anew.
 */
export const byPrecedence = <Route extends Unplaced>(routes: readonly Route[]): readonly (Route & { readonly priority: number })[] => {
  const sorted = inOrder(routes.map((route) => ({ ...route, match: matchers.schema.parse(route.match ?? {}), written: route })), matchers)
    .map(({ written }) => written)
  const last = Math.max(-1, ...sorted.map(({ priority = -1 }) => priority))
  const open = sorted.filter(({ priority }) => priority === undefined).length
  if (last + open > highest) return sorted.map((route, index) => ({ ...route, priority: index }))
  let next = last
  return sorted.map((route) => ({ ...route, priority: route.priority ?? ++next }))
}
