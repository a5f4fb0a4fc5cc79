import type { Dispatcher } from 'undici'
import { normaliseHost } from '../core/host.ts'
import { RequestHead } from '../core/request.ts'
import { requestBody, type BodyInput } from './body.ts'

type Options = Dispatcher.DispatchOptions & { readonly query?: Record<string, unknown> }

// Fields of the connection and not of the request: undici writes them itself, and so does the mesh with Host.
const dropped = new Set(['host', 'connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'proxy-connection'])

/** Reads what undici's callers hand to `dispatch`. */
export const readRequest = (options: Options, origin: URL, replayLimit: number): RequestHead => new RequestHead({
  method: methodOf(options),
  scheme: origin.protocol === 'https:' ? 'https' : 'http',
  host: hostOf(origin),
  port: Number(origin.port) || (origin.protocol === 'https:' ? 443 : 80),
  path: pathOf(options),
  headers: readHeaders(options.headers),
  body: requestBody(options.body as BodyInput | null | undefined, replayLimit),
})

// The methods that mean the same in small letters; all others are told apart by case, as `patch` and PATCH are.
const standardMethod = /^(?:delete|get|head|options|post|put)$/i

const methodOf = ({ method, upgrade }: Options): string => {
  if (typeof method !== 'string' || method === '') throw new TypeError("a request needs a method, such as 'GET'")
  if (upgrade || method.toUpperCase() === 'CONNECT') {
    throw new TypeError(`${upgrade ? `an upgrade to ${String(upgrade)}` : 'CONNECT'} cannot go through the mesh: dial the service without it`)
  }
  return standardMethod.test(method) ? method.toUpperCase() : method
}

const hostOf = (origin: URL): string => normaliseHost(origin.hostname) ?? origin.hostname

const pathOf = ({ path, query }: Options): string => {
  const url = path.startsWith('/') ? undefined : new URL(path)
  const own = url ? `${url.pathname}${url.search}` : path
  if (!query) return own
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) search.append(name, String(one))
  }
  return `${own}${own.includes('?') ? '&' : '?'}${search.toString()}`
}

// The `fetch` of Node 22 adds its own length to the caller's: '3, 3', which undici 8 refuses.
const twice = /^(\d+), \1$/

const once = (name: string, value: string): string =>
  name.length === 14 && name.toLowerCase() === 'content-length' ? twice.exec(value)?.[1] ?? value : value

const readHeaders = (headers: Dispatcher.DispatchOptions['headers']): string[] => {
  const list: string[] = []
  const add = (name: string, value: unknown): void => {
    if (value === undefined || value === null || dropped.has(name.toLowerCase())) return
    for (const one of Array.isArray(value) ? value : [value]) list.push(name, once(name, String(one)))
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
