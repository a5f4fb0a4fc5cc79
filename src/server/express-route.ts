/** What of an Express request tells where its routers are. */
export interface Routed {
  readonly baseUrl?: string | undefined
  readonly params?: unknown
  readonly route?: { readonly path?: unknown } | undefined
}

/**
 * Follows a request on its way through Express's routers; the returned function says the pattern of the route that took it last,
 * such as `/tenants/:id/orders/:order`. Two things are why that is not `baseUrl + route.path`, read at the end: an error leaves the routers
 * and takes `baseUrl` with it, and `baseUrl` has values in it where a mount path has parameters, of which a trace would make a route each.
 */
export const followRoute = (request: Routed): (() => string | undefined) => {
  let base = request.baseUrl ?? ''
  let { route } = request
  let found: string | undefined
  const patterns = new Map([[base, patternOf(base, request.params)]])
  Object.defineProperties(request, {
    baseUrl: {
      get: () => base,
      // By now the parameters are those of the mount path; they will be others inside.
      set: (next: string) => {
        if (next.length > base.length && next.startsWith(base)) {
          patterns.set(next, patterns.get(base)! + patternOf(next.slice(base.length), request.params))
        }
        base = next
        if (!patterns.has(next)) patterns.set(next, next)
      },
      configurable: true, enumerable: true,
    },
    route: {
      get: () => route,
      set: (next: Routed['route']) => {
        route = next
        // Patterns that are regular expressions, or several, are no names.
        found = typeof next?.path === 'string' ? (patterns.get(base)! + next.path).replace(/(?<=.)\/$/, '') : undefined
      },
      configurable: true, enumerable: true,
    },
  })
  return () => found
}

/** A part of a path with the values of parameters replaced by their names. */
const patternOf = (path: string, params: unknown): string => {
  const names = new Map(Object.entries(params ?? {}).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one: unknown) => [one, name])))
  return path.split('/').map((segment) => names.has(decode(segment)) ? `:${names.get(decode(segment)) as string}` : segment).join('/')
}

const decode = (segment: string): string => {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
