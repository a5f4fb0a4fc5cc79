import type { IncomingMessage } from 'node:http'
import { passedOn } from '../../tracing/inbound.ts'
import { timeLeftHeader } from '../../tracing/time-left.ts'

/** Fields of one connection, in either direction (RFC 9110, 7.6.1), and those of a proxy. */
const ofConnection: ReadonlySet<string> = new Set([
  'connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te', 'transfer-encoding', 'upgrade',
])

/** What the gateway or the mesh writes itself. */
const rewritten: ReadonlySet<string> = new Set([
  'host', 'expect', 'trailer', 'x-request-id', 'traceparent', 'tracestate', timeLeftHeader, ...passedOn,
])

/** By which a request says who sends it, where it comes from, or that it is for another path than its target: believed of trusted proxies alone. */
const ofProxies: ReadonlySet<string> = new Set([
  'forwarded', 'x-real-ip', 'x-original-url', 'x-original-uri', 'x-original-host', 'x-rewrite-url', 'x-host', 'x-client-ip', 'true-client-ip', 'client-ip',
  'x-cluster-client-ip', 'x-forwarded', 'x-original-forwarded-for', 'x-remote-ip', 'x-remote-addr', 'x-originating-ip', 'cf-connecting-ip', 'fastly-client-ip',
  'x-scheme', 'x-url-scheme', 'front-end-https', 'client-cert', 'client-cert-chain',
])

/** What the gateway says of where a request comes from, in any case. */
const ofGateway: ReadonlySet<string> = new Set(['forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'])

const noNames: ReadonlySet<string> = new Set()

/** The names that `Connection` lists beside its own words. */
export const namedByConnection = (connection: string | undefined): ReadonlySet<string> => {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return noNames
  return new Set(connection.split(',').map((name) => name.trim().toLowerCase()))
}

/** How inbound fields are judged. */
export interface FieldPolicy {
  readonly trusted: boolean
  readonly restart: boolean
}

const stays = (name: string, { trusted, restart }: FieldPolicy): boolean => {
  if (ofConnection.has(name) || rewritten.has(name) || ofGateway.has(name)) return false
  if (!trusted && (ofProxies.has(name) || name.startsWith('x-forwarded-'))) return false
  return !restart || !(name === 'grpc-timeout' || name.startsWith('x-envoy-'))
}

// Servers that make variables of fields read 'x_forwarded_for' as 'x-forwarded-for'.
const isGuarded = (name: string, policy: FieldPolicy): boolean => name === 'content-length' || !stays(name, policy)

/** In small letters where a field of this name goes on, `undefined` where it doesn't. */
const judged = (written: string, policy: FieldPolicy): string | undefined => {
  const name = written.toLowerCase()
  if (!stays(name, policy) || (name.includes('_') && isGuarded(name.replaceAll('_', '-'), policy))) return undefined
  return name
}

const mostNames = 1_000
const longestName = 100

/** Remembers what is said of a name, which is asked of every field of every request. Clients make names up: they must not pile up, nor long ones be kept. */
const remembering = <Said>(say: (name: string) => Said): ((name: string) => Said) => {
  const known = new Map<string, { readonly said: Said }>()
  return (name) => {
    const found = known.get(name)
    if (found !== undefined) return found.said
    const said = say(name)
    if (known.size >= mostNames) known.clear()
    if (name.length <= longestName) known.set(name, { said })
    return said
  }
}

/** Takes the fields of a request that go on: name, value, name, value. */
export type TakeFields = (request: IncomingMessage) => string[]

/** Makes what takes the fields of requests that go on. */
export const requestFields = (policy: FieldPolicy): TakeFields => {
  const judge = remembering((name) => judged(name, policy))
  return ({ rawHeaders, headers }) => {
    const named = namedByConnection(headers.connection)
    const fields: string[] = []
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const name = judge(rawHeaders[i]!)
      if (name !== undefined && (named === noNames || !named.has(name))) fields.push(name, rawHeaders[i + 1]!)
    }
    // Of the connection before, and so of this one: the client takes trailers.
    if (headers.te !== undefined && /(?:^|,)\s*trailers\s*(?:,|$)/i.test(String(headers.te))) fields.push('te', 'trailers')
    return fields
  }
}

const latin1 = (text: string | Buffer): string => typeof text === 'string' ? text : text.toString('latin1')

const requestId = 'x-request-id'

/** The name in small letters, and whether a field of an answer that has it goes on. `enmesh-error` is the gateway's own, whoever else writes it. */
const answerName = remembering((name) => {
  const lower = name.toLowerCase()
  return { lower, goesOn: !ofConnection.has(lower) && lower !== 'enmesh-error' }
})

/** The fields of an answer that go on: name, value, name, value. The request id is among them, the service's own if it says one. */
export const answerFields = (raw: readonly (string | Buffer)[], connection: string | string[] | undefined, id?: string): string[] => {
  const named = namedByConnection(Array.isArray(connection) ? connection.join(',') : connection)
  const fields: string[] = []
  let hasId = id === undefined
  for (let i = 0; i < raw.length; i += 2) {
    const name = latin1(raw[i]!)
    const { lower, goesOn } = answerName(name)
    if (!goesOn || (named !== noNames && named.has(lower))) continue
    if (lower === requestId) hasId = true
    fields.push(name, latin1(raw[i + 1]!))
  }
  if (!hasId) fields.push(requestId, id!)
  return fields
}

/** Fields that have no place behind a body: they frame, route or authorise what has been read already (RFC 9110, 6.5.1). */
const notInTrailers = /^(?:content-(?:length|encoding|type|range)|transfer-encoding|trailer|host|connection|keep-alive|te|upgrade|set-cookie|authorization|cookie|location|www-authenticate|proxy-.*|x-forwarded-.*|forwarded|enmesh-error|cache-control|expires|age|date|vary)$/

/** The trailers of an answer that go on, in pairs. */
export const trailerFields = (trailers: Readonly<Record<string, string | string[] | undefined>>): [string, string][] =>
  Object.entries(trailers).flatMap(([name, value]) =>
    value === undefined || notInTrailers.test(name.toLowerCase()) ? [] : [value].flat().map((one): [string, string] => [name, one]))
