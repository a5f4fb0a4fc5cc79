import { isIPv4 } from 'node:net'
import { z } from 'zod'
import { normaliseHost } from '../core/host.ts'

/** A host pattern taken apart. */
interface Pattern {
  readonly host: string
  /** Whether it means the host's subdomains, and not itself. */
  readonly subdomains: boolean
  /** The only port, or any. */
  readonly port: number | undefined
}

const withPort = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/

/** A pattern, or what is wrong with it. */
const readPattern = (text: string): Pattern | string => {
  if (text.includes('://')) return "must be a host without a scheme: 'api.example.com', not 'https://api.example.com'"
  if (text.includes('@')) return "must be a host without credentials: 'api.example.com'"
  if (/[/\\?#]/.test(text)) return "must be a host without a path: 'api.example.com'"
  const subdomains = text.startsWith('*.')
  const parts = withPort.exec(subdomains ? text.slice(2) : text)
  if (!parts) return "must be a host and at most a port: 'api.example.com:443', IPv6 in brackets: '[2001:db8::1]:443'"
  if (parts[1]!.includes('*')) {
    return "may have '*' only as its whole first label: '*.example.com' (for every host write egress: 'allow')"
  }
  const port = parts[2] === undefined ? undefined : Number(parts[2])
  if (port !== undefined && (port < 1 || port > 65_535)) return 'must have a port from 1 to 65535'
  const host = normaliseHost(parts[1]!)
  if (host === undefined) return "is not a host: write a name such as 'api.example.com', or an IP address"
  if (subdomains && isAddress(host)) return 'cannot have subdomains: it is an IP address'
  return { host, subdomains, port }
}

const isAddress = (host: string): boolean => host.startsWith('[') || isIPv4(host)

const hostPattern = z.string().superRefine((text, context) => {
  const read = readPattern(text)
  if (typeof read === 'string') context.addIssue({ code: 'custom', message: read })
})

/** Which hosts that are not services may be called. */
export const egressConfig = z.union([
  z.enum(['allow', 'deny']),
  z.strictObject({
    allow: z.array(hostPattern).describe(
      "Hosts that may be called: 'api.example.com', '*.example.com' for its subdomains, an IP address; a port may follow.",
    ),
  }),
], { error: "must be 'allow', 'deny', or { allow: ['api.example.com', '*.example.com'] }" })

/** Parsed egress policy. */
export type EgressConfig = z.output<typeof egressConfig>

/**
 * Judges hosts that are not services of the mesh. Spelling makes no difference: hosts and patterns are compared as a
 * WHATWG URL writes them, so `API.example.com.` and `0x7f.1` slip past no list. What is no host at all is on no list.
 */
export const egress = (config: EgressConfig): (host: string, port: number) => boolean => {
  if (config === 'allow') return () => true
  if (config === 'deny') return () => false
  const patterns = config.allow.map(readPattern).filter((pattern) => typeof pattern !== 'string')
  return (host, port) => {
    const name = normaliseHost(host)
    return name !== undefined && patterns.some((pattern) => matches(pattern, name, port))
  }
}

const matches = (pattern: Pattern, host: string, port: number): boolean => {
  if (pattern.port !== undefined && pattern.port !== port) return false
  if (!pattern.subdomains) return host === pattern.host
  return host.length > pattern.host.length + 1 && host.endsWith(pattern.host) && host.at(-pattern.host.length - 1) === '.'
}
