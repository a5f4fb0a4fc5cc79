import type { IncomingMessage } from 'node:http'
import { normaliseHost } from '../../core/host.ts'
import { RequestHead } from '../../core/request.ts'
import type { GatewayConfig } from './config.ts'
import { namedByConnection, type TakeFields } from './fields.ts'
import { addForwarded, originOf } from './origin.ts'
import { Refusal } from './problem.ts'
import { readTarget } from './target.ts'

/** What the checks of an inbound request go by. */
export type InboundPolicy = Pick<GatewayConfig, 'trustedHops' | 'escapedSlashes' | 'maxHeaders' | 'maxTarget' | 'maxBody'>

/** A request that came in and is in order. */
export interface Inbound {
  /** What routes are found by: the fields that would go on, the settled path, the host and port that were dialled. */
  readonly head: RequestHead
  /** `Host` as it came. */
  readonly host: string
  /** Bytes of its body; infinity where only its end will tell. */
  readonly bodySize: number
}

const bad = (detail: string): Refusal => new Refusal('ENMESH_BAD_REQUEST', detail)

const authority = /^([\w.-]+|\[[\da-f:.]+\])(?::(\d{1,5}))?$/i

/** What a field may be there once only: two of them are how one server is made to see another request than the next. */
interface Framing {
  host: string | undefined
  length: string | undefined
  coding: string | undefined
}

const framingOf = (raw: readonly string[]): Framing => {
  const found: Framing = { host: undefined, length: undefined, coding: undefined }
  for (let i = 0; i < raw.length; i += 2) {
    const key = raw[i]!.length === 4 ? 'host' : raw[i]!.length === 14 ? 'length' : raw[i]!.length === 17 ? 'coding' : undefined
    if (key === undefined || raw[i]!.toLowerCase() !== names[key]) continue
    if (found[key] !== undefined) throw bad(`The field '${names[key]}' is there twice.`)
    found[key] = raw[i + 1]!
  }
  return found
}

const names = { host: 'host', length: 'content-length', coding: 'transfer-encoding' } as const

const never: readonly string[] = ['host', 'content-length', 'transfer-encoding', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'forwarded']

/** How many bytes a request's body has. Throws a `Refusal` where two readers could disagree on where it ends. */
const bodySizeOf = ({ coding, length }: Framing, { httpVersion }: IncomingMessage, maxBody: number): number => {
  if (coding !== undefined) {
    if (length !== undefined) throw bad("The body's length is given in two ways.")
    if (httpVersion !== '1.1') throw bad('Transfer codings come with HTTP/1.1 only.')
    if (coding.toLowerCase() !== 'chunked') throw new Refusal('ENMESH_NOT_SUPPORTED', "The only transfer coding that is taken is 'chunked'.")
    return Number.POSITIVE_INFINITY
  }
  if (length === undefined) return 0
  if (!/^\d{1,15}$/.test(length)) throw bad("The field 'content-length' is no number of bytes.")
  if (maxBody > 0 && Number(length) > maxBody) throw new Refusal('ENMESH_TOO_LARGE', `The body has more than ${maxBody} bytes.`)
  return Number(length)
}

// Requests come in rows for one host, and to normalise it takes a parser of URLs.
let lastHost = ''
let lastDialled: string | undefined

const dialledBy = (host: string): string | undefined => {
  const [, hostname = '', port] = authority.exec(host) ?? []
  lastDialled = hostname === '' || Number(port) > 65_535 ? undefined : normaliseHost(hostname)
  lastHost = host
  return lastDialled
}

/**
 * Reads a request and checks all that Node's parser leaves to others. The checks don't lean on how the server is configured, since the gateway's listener may
 * stand on any. Throws a `Refusal` for a request that must not go on.
 */
export const readInbound = (request: IncomingMessage, policy: InboundPolicy, takeFields: TakeFields): Inbound => {
  const { method = '', url = '', httpVersion, rawHeaders } = request
  if (httpVersion !== '1.1' && httpVersion !== '1.0') throw new Refusal('ENMESH_NOT_SUPPORTED', 'This is a version of HTTP that is not spoken here.', 505)
  if (method === 'CONNECT' || method === 'TRACE') throw new Refusal('ENMESH_NOT_SUPPORTED', `${method} is not passed on.`)
  if (rawHeaders.length > 2 * policy.maxHeaders) throw new Refusal('ENMESH_TOO_LARGE', `The request has more than ${policy.maxHeaders} header fields.`, 431)
  if (url.length > policy.maxTarget) throw new Refusal('ENMESH_TOO_LARGE', `The target has more than ${policy.maxTarget} characters.`, 414)
  const framing = framingOf(rawHeaders)
  const bodySize = bodySizeOf(framing, request, policy.maxBody)
  const named = namedByConnection(request.headers.connection)
  if (named.size > 0 && never.some((name) => named.has(name))) throw bad("The field 'connection' names a field that is not of the connection.")
  const { host = '' } = framing
  const dialled = host === lastHost ? lastDialled : dialledBy(host)
  if (dialled === undefined) throw bad(framing.host === undefined ? "The field 'host' is missing." : "The field 'host' is no host.")
  const target = readTarget(url, policy.escapedSlashes)
  if (target.authority !== undefined && target.authority.toLowerCase() !== host.toLowerCase()) throw bad("The target and the field 'host' name two hosts.")

  const origin = originOf(request, host, policy.trustedHops)
  const headers = takeFields(request)
  addForwarded(headers, origin)
  const { scheme } = origin
  return {
    head: new RequestHead({ method, scheme, host: dialled, port: request.socket.localPort ?? 80, path: target.path, headers }), host, bodySize,
  }
}
