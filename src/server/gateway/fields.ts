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

/** By which a request says where it comes from, or that it is for another path than its target: believed of trusted proxies alone. */
const ofProxies: ReadonlySet<string> = new Set([
  'forwarded', 'x-real-ip', 'x-original-url', 'x-original-host', 'x-rewrite-url', 'x-host', 'x-client-ip', 'true-client-ip', 'client-ip', 'x-cluster-client-ip',
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

/** The fields of a request that go on: name, value, name, value. */
export const requestFields = ({ rawHeaders, headers }: IncomingMessage, policy: FieldPolicy): string[] => {
  const named = namedByConnection(headers.connection)
  const fields: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    if (!stays(name, policy) || named.has(name)) continue
    // Servers that make variables of fields read 'x_forwarded_for' as 'x-forwarded-for'.
    if (name.includes('_') && isGuarded(name.replaceAll('_', '-'), policy)) continue
    fields.push(name, rawHeaders[i + 1]!)
  }
  // Of the connection before, and so of this one: the client takes trailers.
  if (headers.te !== undefined && /(?:^|,)\s*trailers\s*(?:,|$)/i.test(String(headers.te))) fields.push('te', 'trailers')
  return fields
}

const isGuarded = (name: string, policy: FieldPolicy): boolean => name === 'content-length' || !stays(name, policy)

const latin1 = (text: string | Buffer): string => typeof text === 'string' ? text : text.toString('latin1')

/** The fields of an answer that go on: name, value, name, value. `enmesh-error` is the gateway's own, whoever else writes it. */
export const answerFields = (raw: readonly (string | Buffer)[], connection: string | string[] | undefined): string[] => {
  const named = namedByConnection(Array.isArray(connection) ? connection.join(',') : connection)
  const fields: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    const name = latin1(raw[i]!)
    const lower = name.toLowerCase()
    if (!ofConnection.has(lower) && lower !== 'enmesh-error' && (named === noNames || !named.has(lower))) fields.push(name, latin1(raw[i + 1]!))
  }
  return fields
}

/** Fields that have no place behind a body: they frame, route or authorise what has been read already (RFC 9110, 6.5.1). */
const notInTrailers = /^(?:content-(?:length|encoding|type|range)|transfer-encoding|trailer|host|connection|keep-alive|te|upgrade|set-cookie|authorization|cookie|location|www-authenticate|proxy-.*|x-forwarded-.*|forwarded|enmesh-error|cache-control|expires|age|date|vary)$/

/** The trailers of an answer that go on, in pairs. */
export const trailerFields = (trailers: Readonly<Record<string, string | string[] | undefined>>): [string, string][] =>
  Object.entries(trailers).flatMap(([name, value]) =>
    value === undefined || notInTrailers.test(name.toLowerCase()) ? [] : [value].flat().map((one): [string, string] => [name, one]))
