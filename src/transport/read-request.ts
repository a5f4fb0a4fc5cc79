import type { Dispatcher } from 'undici'
import { RequestHead } from '../core/request.ts'
import { requestBody, type BodyInput } from './body.ts'
import type { Origin } from './origin.ts'

type Options = Dispatcher.DispatchOptions & { readonly query?: Record<string, unknown>, readonly maxRedirections?: number }

// Fields of the connection and not of the request: undici writes them itself (`upgrade` as an option says), and so does the mesh with Host.
const dropped = new Set(['host', 'connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'proxy-connection'])

/** Reads what undici's callers hand to `dispatch`. */
export const readRequest = (options: Options, { scheme, host, port }: Origin, replayLimit: number): RequestHead => new RequestHead({
  method: methodOf(options),
  upgrade: options.upgrade as string | undefined,
  scheme,
  host,
  port,
  path: pathOf(options),
  headers: readHeaders(options.headers),
  body: requestBody(options.body as BodyInput | null | undefined, replayLimit),
})

// The methods that mean the same in small letters; all others are told apart by case, as `patch` and PATCH are.
const standardMethod = /^(?:connect|delete|get|head|options|post|put)$/i

const methodOf = ({ method, maxRedirections }: Options): string => {
  if (typeof method !== 'string' || method === '') throw new TypeError("a request needs a method, such as 'GET'")
  if (maxRedirections) {
    throw new TypeError("'maxRedirections' is an option of undici 6 that dispatchers no longer follow: compose undici's redirect interceptor in its place")
  }
  return standardMethod.test(method) ? method.toUpperCase() : method
}

/**
 * The other place that a request names, which a proxy at its origin would go on to: by a path that is a whole URL, or by
 * `CONNECT` with `host:port`. Throws a `TypeError` for a `CONNECT` to what is no place.
 */
export const placeBeyond = ({ path, method }: Options): URL | undefined => {
  if (path.startsWith('/')) return undefined
  if (method?.toUpperCase() !== 'CONNECT') return URL.parse(path) ?? undefined
  const place = URL.parse(`http://${path}`)
  if (!place) throw new TypeError(`CONNECT takes 'host:port' as its path, not '${path}'`)
  return place
}

const pathOf = ({ path, query, method }: Options): string => {
  if (method.toUpperCase() === 'CONNECT') return path
  const url = path.startsWith('/') ? undefined : new URL(path)
  const own = url ? `${url.pathname}${url.search}` : path
  if (!query) return own
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) search.append(name, String(one))
  }
  return `${own}${own.includes('?') ? '&' : '?'}${search.toString()}`
}

// Of a length that the caller wrote and one that fetch worked out, the fetch of Node 22 makes '5, 5'.
const lengthTwice = /^(\d+), \1$/

const lengthOnce = (name: string, value: string): string =>
  name.length === 14 && name.toLowerCase() === 'content-length' ? lengthTwice.exec(value)?.[1] ?? value : value

/** The same header fields with a length that is there twice written once. Only the fetch of Node 22 makes it, and it hands over an object. */
export const withLengthOnce = (headers: Dispatcher.DispatchOptions['headers']): Dispatcher.DispatchOptions['headers'] => {
  if (!headers || Array.isArray(headers) || Symbol.iterator in headers) return headers
  const name = Object.keys(headers).find((name) => lengthTwice.test(String(headers[name])) && name.toLowerCase() === 'content-length')
  return name === undefined ? headers : { ...headers, [name]: lengthOnce(name, String(headers[name])) }
}

const readHeaders = (headers: Dispatcher.DispatchOptions['headers']): string[] => {
  const list: string[] = []
  const add = (name: string, value: unknown): void => {
    if (value === undefined || value === null || dropped.has(name.toLowerCase())) return
    for (const one of Array.isArray(value) ? value : [value]) list.push(name, lengthOnce(name, String(one)))
  }
  if (Array.isArray(headers)) {
    for (let i = 0; i < headers.length; i += 2) add(String(headers[i]), headers[i + 1])
  } else if (headers && Symbol.iterator in headers) {
    for (const [name, value] of headers as Iterable<[string, string]>) add(name, value)
  } else if (headers) {
    for (const name of Object.keys(headers)) add(name, headers[name])
  }
  return list
}
