import { isIPv4 } from 'node:net'
import { z } from 'zod'
import type { EndpointSpec } from '../core/endpoint.ts'
import { normaliseHost } from '../core/host.ts'

const schemePorts = new Map([['http', 80], ['https', 443]])
const label = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/

/** One spelling for a host that can be resolved or dialled, IPv6 in brackets; `undefined` for anything else. */
export const dialledHost = (text: string): string | undefined => {
  const host = normaliseHost(text)
  if (host === undefined || isAddress(host)) return host
  return host.length <= 253 && host.split('.').every((part) => label.test(part)) ? host : undefined
}

/** Whether a host as `dialledHost` spells it is an IP address. */
export const isAddress = (host: string): boolean => host.startsWith('[') || isIPv4(host)

// An IPv4 address and a port, spelled as the result would be. Thousands of them may arrive at once, and this way is a tenth of the price.
const usual = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d):(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])$/

/**
 * Reads an endpoint's address: `host:port`, `[v6]:port`, or with `http://` or `https://` in front,
 * which settles TLS and gives the port where none is written. Without a scheme TLS stays open, and the port is needed.
 * The result has one spelling (lower case, no trailing dot). Throws a `TypeError` that says what to write for anything else:
 * an endpoint has no path, query or credentials.
 */
export const parseEndpointAddress = (text: string): EndpointSpec => {
  if (usual.test(text)) return { address: text }
  const [, scheme, rest] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/is.exec(text) as unknown as [string, string | undefined, string]
  refuseMoreThanAuthority(rest)
  const defaultPort = scheme === undefined ? undefined : schemePorts.get(scheme.toLowerCase())
  if (scheme !== undefined && defaultPort === undefined) {
    throw new TypeError(`'${text}' has the scheme '${scheme}': write 'host:port', or a URL with http:// or https://`)
  }
  const [written, port] = divide(scheme === undefined ? rest : rest.replace(/\/$/, ''), text)
  const host = dialledHost(written)
  if (host === undefined) throw new TypeError(`'${text}' names no host that can be dialled: write it like '10.0.0.1:8080', '[::1]:8080' or 'a.local:8080'`)
  if (port === undefined && defaultPort === undefined) throw new TypeError(`'${text}' has no port: write '${text}:8080', or a URL`)
  return {
    address: `${host}:${port === undefined ? defaultPort! : readPort(port, text)}`,
    ...(defaultPort !== undefined && { tls: defaultPort === 443 }),
  }
}

// The address itself stays out of these messages: it may hold a password.
const refuseMoreThanAuthority = (rest: string): void => {
  if (rest.includes('@')) throw new TypeError("holds credentials: an endpoint is 'host:port'; send an authorization header instead")
  if (/[?#]/.test(rest)) throw new TypeError("has a query or fragment: an endpoint is 'host:port' and nothing behind it")
  if (/[/\\]./s.test(rest)) throw new TypeError("has a path: an endpoint is 'host:port'; rewrite paths in a route")
}

const divide = (authority: string, text: string): readonly [host: string, port: string | undefined] => {
  const [, v6, v6Port] = /^(\[[^\]]*\])(?::(.*))?$/s.exec(authority) ?? []
  if (v6 !== undefined) return [v6, v6Port]
  const [host = '', port, ...more] = authority.split(':')
  if (more.length > 0) throw new TypeError(`'${text}' has several colons: an IPv6 address stands in brackets, '[::1]:8080'`)
  return [host, port]
}

const readPort = (port: string, text: string): number => {
  const number = /^\d{1,5}$/.test(port) ? Number(port) : 0
  if (number < 1 || number > 65_535) throw new TypeError(`'${text}' has the port '${port}': it must be a number from 1 to 65535`)
  return number
}

/** An endpoint written as text; see `parseEndpointAddress`. */
export const endpointAddress = z.string().transform((text, ctx): EndpointSpec => {
  try {
    return parseEndpointAddress(text)
  } catch (error) {
    // `continue` keeps unions from hiding the message behind "Invalid input".
    ctx.addIssue({ code: 'custom', message: (error as TypeError).message, continue: true })
    return z.NEVER
  }
}).describe("An address: 'host:port', '[v6]:port', 'http://host' or 'https://host'; a scheme settles TLS and the default port.")
