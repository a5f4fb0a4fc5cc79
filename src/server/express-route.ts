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
  let { baseUrl, route } = request
  // By what each prefix is the pattern; the empty one is where routers begin, and Express may say `undefined` for it.
  const patterns = new Map([['', ''], [baseUrl ?? '', patternOf(baseUrl ?? '', request.params)]])
  let found: string | undefined
  Object.defineProperties(request, {
    baseUrl: {
      get: () => baseUrl,
      set: (next: string | undefined) => {
        const outer = baseUrl ?? ''
        // On the way in the parameters are those of the mount path; they will be others inside.
        if (next?.startsWith(outer) && next !== outer) patterns.set(next, patterns.get(outer) + patternOf(next.slice(outer.length), request.params))
        baseUrl = next
      },
      configurable: true, enumerable: true,
    },
    route: {
      get: () => route,
      set: (next: Routed['route']) => {
        route = next
        // Paths that are regular expressions, or several, are no names.
        found = typeof next?.path === 'string' ? withoutEnd(`${patterns.get(baseUrl ?? '') ?? ''}${next.path}`) : undefined
      },
      configurable: true, enumerable: true,
    },
  })
  return () => found
}

/** `/orders/` of a router's own `/` is `/orders`. */
const withoutEnd = (pattern: string): string => pattern.length > 1 && pattern.endsWith('/') ? pattern.slice(0, -1) : pattern

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
