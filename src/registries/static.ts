import { isIPv4, isIPv6 } from 'node:net'
import { z } from 'zod'
import { kind } from '../core/family.ts'
import type { EndpointSpec } from '../core/endpoint.ts'
import type { Registry } from './registry.ts'

/** An address that cannot be used; the message says what to write in its place. */
export class AddressError extends TypeError {
  constructor(message: string) {
    super(message)
    this.name = 'AddressError'
  }
}

const schemePorts = new Map([['http', 80], ['https', 443]])
const hostLabel = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/

/**
 * Reads an endpoint's address: `host:port`, `[v6]:port`, or with `http://` or `https://` in front,
 * which settles TLS and gives the port where none is written. Without a scheme TLS stays open, and the port is needed.
 * The result is in lower case. Throws an `AddressError` for anything else: an endpoint has no path, query or credentials.
 */
export const parseEndpointAddress = (text: string): EndpointSpec => {
  const [, scheme, rest] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/is.exec(text.toLowerCase()) as unknown as [string, string | undefined, string]
  if (scheme !== undefined && !schemePorts.has(scheme)) {
    throw new AddressError(`'${text}' has the scheme '${scheme}': write 'host:port', or a URL with http:// or https://`)
  }
  refuseMoreThanAuthority(rest)
  const { host, port } = divide(scheme === undefined ? rest : rest.replace(/\/$/, ''), text)
  refuseBadHost(host, text)
  return {
    address: `${host}:${port === undefined ? defaultPort(scheme, text) : readPort(port, text)}`,
    ...(scheme !== undefined && { tls: scheme === 'https' }),
  }
}

// The address itself stays out of these messages: it may hold a password.
const refuseMoreThanAuthority = (rest: string): void => {
  if (rest.includes('@')) throw new AddressError("holds credentials: an endpoint is 'host:port'; send an authorization header instead")
  if (/[?#]/.test(rest)) throw new AddressError("has a query or fragment: an endpoint is 'host:port' and nothing behind it")
  if (/[/\\]./.test(rest)) throw new AddressError("has a path: an endpoint is 'host:port'; rewrite paths in a route")
}

const divide = (authority: string, text: string): { host: string, port: string | undefined } => {
  const [, v6, v6Port] = /^(\[[^\]]*\])(?::(.*))?$/s.exec(authority) ?? []
  if (v6 !== undefined) return { host: v6, port: v6Port }
  const [host = '', port, ...more] = authority.split(':')
  if (more.length > 0) throw new AddressError(`'${text}' has several colons: an IPv6 address stands in brackets, '[::1]:8080'`)
  return { host, port }
}

const refuseBadHost = (host: string, text: string): void => {
  if (host === '') throw new AddressError(`'${text}' names no host: write 'host:port', for instance '10.0.0.1:8080'`)
  if (host.startsWith('[')) {
    const inside = host.slice(1, -1)
    if (!isIPv6(inside) || inside.includes('%')) throw new AddressError(`'${host}' is not an IPv6 address without a zone in brackets`)
    return
  }
  if (!isHostName(host)) throw new AddressError(`'${host}' is neither an IP address nor a host name; names outside ASCII are written in punycode`)
}

/** Whether a text in lower case is an IPv4 address or can be a host name. One that ends in a number must be an address, as in URLs. */
export const isHostName = (host: string): boolean => {
  const name = host.endsWith('.') ? host.slice(0, -1) : host
  const labels = name.split('.')
  if (/^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1)!)) return isIPv4(host)
  return name.length <= 253 && labels.every((label) => hostLabel.test(label))
}

const defaultPort = (scheme: string | undefined, text: string): number => {
  const port = scheme === undefined ? undefined : schemePorts.get(scheme)
  if (port === undefined) throw new AddressError(`'${text}' has no port: write '${text}:8080', or a URL with http:// or https://`)
  return port
}

const readPort = (port: string, text: string): number => {
  const number = /^\d{1,5}$/.test(port) ? Number(port) : 0
  if (number < 1 || number > 65_535) throw new AddressError(`'${text}' has the port '${port}': it must be a number from 1 to 65535`)
  return number
}

// `continue` keeps zod's unions from hiding the message behind "Invalid input".
const endpointAddressFault = (message: string) => ({ code: 'custom' as const, message, continue: true })

/** An endpoint written as text; see `parseEndpointAddress`. Parsed to an `EndpointSpec`. */
export const endpointAddress = z.string().transform((text, ctx): EndpointSpec => {
  try {
    return parseEndpointAddress(text)
  } catch (error) {
    ctx.addIssue(endpointAddressFault((error as Error).message))
    return z.NEVER
  }
}).describe("An address: 'host:port', '[v6]:port', 'http://host' or 'https://host'; a scheme settles TLS and the default port.")

const weight = z.number().positive().max(1_000_000)

const endpointDetails = z.strictObject({
  address: endpointAddress,
  id: z.string().min(1).optional().describe('The name of the instance; its address by default.'),
  weight: weight.optional().describe('Its share of the traffic relative to the others, above 0; 1 by default.'),
  tls: z.boolean().optional().describe("Whether it is dialled with TLS; as the address's scheme says, or as its cluster does, by default."),
  metadata: z.record(z.string(), z.string()).optional().describe('What subsets and zones select by.'),
}).refine(({ address, tls }) => tls === undefined || address?.tls === undefined || tls === address.tls, {
  path: ['tls'],
  error: "contradicts the address's scheme: leave one of the two out",
}).transform(({ address, id, weight, tls, metadata }): EndpointSpec => ({
  ...address,
  ...(id !== undefined && { id }),
  ...(weight !== undefined && { weight }),
  ...(tls !== undefined && { tls }),
  ...(metadata !== undefined && { metadata }),
}))

/** A list of endpoints as a user writes it: texts, or objects where there is more to say. At least one, none twice. Parsed to `EndpointSpec`s. */
export const endpointList = z.array(z.union([endpointAddress, endpointDetails])).min(1).superRefine((endpoints, ctx) => {
  const seen = new Map<string, number>()
  for (const [index, endpoint] of endpoints.entries()) {
    // What could not be read has its own fault already.
    if (typeof endpoint?.address !== 'string') continue
    const id = endpoint.id ?? endpoint.address
    const earlier = seen.get(id)
    if (earlier === undefined) seen.set(id, index)
    else ctx.addIssue({ code: 'custom', path: [index], message: `is endpoint ${earlier} again ('${id}'): give it a weight or an id of its own` })
  }
})

/** Endpoints written down in the configuration. */
export const staticRegistry = kind('static', z.strictObject({
  endpoints: endpointList.describe('The endpoints; at least one.'),
}), ({ endpoints }): Registry => async function* () {
  yield endpoints
})
