import type { IncomingMessage } from 'node:http'

/** Where a request comes from, as far as it can be believed. */
export interface Origin {
  /** Address of the client: the other end of the connection, or what the outermost trusted proxy says. */
  readonly client: string
  readonly scheme: 'http' | 'https'
  /** What goes on in `x-forwarded-for`: the trusted proxies' part and the other end. */
  readonly chain: readonly string[]
  readonly host: string
  /** The trusted proxies' part of `forwarded`. */
  readonly elements: readonly string[]
}

const plainAddress = (address = 'unknown'): string => address.startsWith('::ffff:') ? address.slice(7) : address

const none: readonly string[] = []

const listOf = (value: string | string[] | undefined): readonly string[] =>
  value === undefined ? none : String(value).split(',').map((part) => part.trim()).filter((part) => part !== '')

// Commas in quotes are none of the list's.
const elementsOf = (value: string | undefined): readonly string[] =>
  (value?.match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g) ?? []).map((element) => element.trim()).filter((element) => element !== '')

/** Finds out where a request comes from. Of the lists that proxies write, as many entries count as there are trusted hops, the last ones. */
export const originOf = ({ headers, socket }: IncomingMessage, host: string, trustedHops: number): Origin => {
  const peer = plainAddress(socket.remoteAddress)
  const own = 'encrypted' in socket ? 'https' : 'http'
  if (trustedHops === 0) return { client: peer, scheme: own, chain: [peer], host, elements: none }
  const told = listOf(headers['x-forwarded-for']).slice(-trustedHops)
  const scheme = listOf(headers['x-forwarded-proto']).at(-1)?.toLowerCase()
  return {
    client: told[0] ?? peer,
    scheme: scheme === 'http' || scheme === 'https' ? scheme : own,
    chain: [...told, peer],
    host: listOf(headers['x-forwarded-host']).at(-1) ?? host,
    elements: elementsOf(headers['forwarded']).slice(-trustedHops),
  }
}

const quoted = (text: string): string => /^[\w.-]+$/.test(text) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`

const nodeOf = (address: string): string => address.includes(':') ? `"[${address}]"` : address

/** Adds what the next one is told of where a request comes from (RFC 7239, and the fields before it). */
export const addForwarded = (fields: string[], { chain, scheme, host, elements }: Origin): void => {
  const element = `for=${nodeOf(chain.at(-1)!)};host=${quoted(host)};proto=${scheme}`
  fields.push(
    'x-forwarded-for', chain.length === 1 ? chain[0]! : chain.join(', '), 'x-forwarded-proto', scheme, 'x-forwarded-host', host,
    'forwarded', elements.length === 0 ? element : [...elements, element].join(', '),
  )
}
