/** What of an Express request tells where its routers are. */
export interface Routed {
  readonly baseUrl?: string | undefined
  readonly params?: unknown
  readonly route?: { readonly path?: unknown } | undefined
}

/** Where routers are mounted: the pattern of it, and the parameters that they have. */
interface Mount {
  readonly pattern: string
  readonly params: Params
}

type Params = Readonly<Record<string, unknown>>

/** Stands for a mount path of which the pattern can't be told. */
const unknown = '/*'

/**
 * Mount paths that are told apart. Express says only what a mount path matched, never its pattern: one that matches what it does not
 * capture, such as `/^\/v\d+/`, must not make series without end.
 */
const mostMounts = 256

/** Names the routes that requests of an Express application take. */
export class ExpressRoutes {
  /** The mount paths seen, by their lower case: Express matches in any, and callers choose it. */
  readonly #mounts = new Map<string, string>()

  /**
   * Follows a request on its way through Express's routers; the returned function says the pattern of the route that took it last,
   * such as `/tenants/:id/orders/:order`. Two things are why that is not `baseUrl + route.path`, read at the end: an error leaves the
   * routers and takes `baseUrl` with it, and `baseUrl` has values in it where a mount path has parameters.
   */
  follow(request: Routed): () => string | undefined {
    let { baseUrl, route } = request
    const top: Mount = { pattern: baseUrl ? unknown : '', params: paramsOf(request) }
    // By what each matched; Express may say `undefined` for where routers begin.
    const mounts = new Map([[baseUrl ?? '', top]])
    let found: string | undefined
    Object.defineProperties(request, {
      baseUrl: {
        get: () => baseUrl,
        set: (next: string | undefined) => {
          const outer = baseUrl ?? ''
          // On the way in the parameters are those of the mount path; they will be others inside.
          if (next?.startsWith(outer) && next !== outer) mounts.set(next, inner(mounts.get(outer) ?? top, next.slice(outer.length), paramsOf(request)))
          baseUrl = next
        },
        configurable: true, enumerable: true,
      },
      route: {
        get: () => route,
        set: (next: Routed['route']) => {
          route = next
          // Paths that are regular expressions, or several, are no names.
          found = typeof next?.path === 'string' ? withoutEnd(this.#known((mounts.get(baseUrl ?? '') ?? top).pattern) + next.path) : undefined
        },
        configurable: true, enumerable: true,
      },
    })
    return () => found
  }

  #known(pattern: string): string {
    const key = pattern.toLowerCase()
    const known = this.#mounts.get(key)
    if (known !== undefined) return known
    if (this.#mounts.size >= mostMounts) return unknown
    this.#mounts.set(key, pattern)
    return pattern
  }
}

const paramsOf = ({ params }: Routed): Params => (params ?? {}) as Params

/** `/orders/` of a router's own `/` is `/orders`. */
const withoutEnd = (pattern: string): string => pattern.length > 1 && pattern.endsWith('/') ? pattern.slice(0, -1) : pattern

const inner = (outer: Mount, path: string, params: Params): Mount => ({ pattern: outer.pattern + patternOf(path, params, outer.params), params })

/**
 * A mount path with the values of its parameters replaced by their names. That is certain only where each value is the whole of one
 * segment and part of no other. (Parameters of routers around may be among them, and have nothing to do with it.)
 */
const patternOf = (path: string, params: Params, outer: Params): string => {
  const segments = path.split('/').map(decode)
  const names = new Map<string, string>()
  for (const [name, value] of Object.entries(params)) {
    const isOuter = outer[name] === value
    const touched = segments.filter((segment) => [value].flat().some((part) => typeof part === 'string' && part !== '' && segment.includes(part)))
    if (touched.length === 0 && (isOuter || value === undefined)) continue
    const [whole] = touched
    // A number is the name of a group in a regular expression, of which the rest is no text either.
    if (isOuter || touched.length > 1 || whole === undefined || whole !== value || names.has(whole) || /^\d+$/.test(name)) return unknown
    names.set(whole, name)
  }
  return path.split('/').map((segment, at) => names.has(segments[at]!) ? `:${names.get(segments[at]!)!}` : segment).join('/')
}

const decode = (segment: string): string => {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
