import { stringify } from 'node:querystring'
import type { Dispatcher } from 'undici'
import { RequestHead } from '../../core/request.ts'
import { requestBody, type BodyInput } from '../body.ts'
import type { Origin } from './origin.ts'
import { kindOf, shownPlace } from '../shown.ts'

type Options = Dispatcher.DispatchOptions & { readonly query?: Parameters<typeof stringify>[0], readonly maxRedirections?: number }

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
 * `CONNECT` with `host:port`. Throws a `TypeError` for a `CONNECT` to what is no place, and for a path that is none.
 */
export const placeBeyond = ({ path, method }: Options): URL | undefined => {
  if (typeof path === 'string' && path.startsWith('/')) return undefined
  if (typeof method === 'string' && method.toUpperCase() === 'CONNECT') {
    const place = URL.parse(`http://${path}`)
    if (!place) throw new TypeError(`CONNECT takes 'host:port' as its path, not '${path}'`)
    return place
  }
  const url = typeof path === 'string' ? URL.parse(path) : null
  if (!url) throw new TypeError(`a request needs a path that begins with '/' or is a whole URL, not ${shownPlace(path)}`)
  return url
}

const pathOf = ({ path, query, method }: Options): string => {
  if (method.toUpperCase() === 'CONNECT') return path
  const url = path.startsWith('/') ? undefined : new URL(path)
  const own = url ? `${url.pathname}${url.search}` : path
  if (!query) return own
  if (/[?#]/.test(own)) throw new TypeError("the path of a request with `query` may have no '?' or '#' of its own: put all of it into one of the two")
  const search = stringify(query)
  return search === '' ? own : `${own}?${search}`
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

// As undici reads them, which refuses the same.
const readHeaders = (headers: unknown): string[] => {
  const list: string[] = []
  if (headers === undefined || headers === null) return list
  if (typeof headers !== 'object') throw new TypeError(`headers are an object or a list, not ${kindOf(headers)}`)
  if (Array.isArray(headers)) {
    if (headers.length % 2 > 0) throw new TypeError('a list of headers holds a name and a value in turns, and this one ends with a name')
    for (let i = 0; i < headers.length; i += 2) addHeader(list, headers[i], headers[i + 1])
  } else if (Symbol.iterator in headers) {
    for (const pair of headers as Iterable<unknown>) {
      if (!Array.isArray(pair) || pair.length !== 2) throw new TypeError(`headers that are gone through give a name and a value each time, not ${kindOf(pair)}`)
      addHeader(list, pair[0], pair[1])
    }
  } else {
    for (const name of Object.keys(headers)) addHeader(list, name, (headers as Record<string, unknown>)[name])
  }
  return list
}

const addHeader = (list: string[], name: unknown, value: unknown): void => {
  if (typeof name !== 'string') throw new TypeError(`a header's name is text, not ${kindOf(name)}`)
  if (value === undefined || dropped.has(name.toLowerCase())) return
  if (!Array.isArray(value)) list.push(name, headerValue(name, value))
  else for (const one of value as unknown[]) list.push(name, headerValue(name, one))
}

const headerValue = (name: string, value: unknown): string => {
  if (typeof value === 'string') return lengthOnce(name, value)
  if (value === null) return ''
  if (typeof value === 'object' || typeof value === 'symbol') throw new TypeError(`the header '${name}' is text, not ${kindOf(value)}`)
  const primitive = value as number | boolean
  return String(primitive)
}
