import { lookup, Resolver } from 'node:dns/promises'
import { isIPv4, isIPv6 } from 'node:net'
import { z } from 'zod'
import { duration } from '../config/duration.ts'
import { kind } from '../core/family.ts'
import { dialledHost, isAddress } from './address.ts'
import { polling } from './polling.ts'
import type { Registry } from './registry.ts'

/** One address that a name has. */
export interface DnsRecord {
  readonly address: string
  /** Seconds for which it may be kept. */
  readonly ttl: number
}

/**
 * Asks for the addresses of one family that a name has.
 * Rejects like `node:dns`: with the code `ENOTFOUND` (no such name) or `ENODATA` (none of this family), or another one when it could not tell.
 */
export type ResolveAddresses = (hostname: string, family: 4 | 6, signal: AbortSignal) => Promise<readonly DnsRecord[]>

const isServer = (text: string): boolean => {
  const [, v6, host = '', port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  const addressed = v6 === undefined ? isIPv4(host) : isIPv6(v6)
  return isIPv6(text) || (addressed && (port === undefined || (Number(port) > 0 && Number(port) <= 65_535)))
}

const hostname = z.string().transform((text, ctx) => {
  const name = isIPv6(text) ? `[${text}]` : dialledHost(text)
  if (name !== undefined && !isAddress(name)) return name
  ctx.addIssue(name === undefined
    ? "is not a host name: write it without scheme, port or path, as in 'pricing.internal'"
    : "is an IP address: use a registry of type 'static'")
  return z.NEVER
})

const dnsConfig = z.strictObject({
  hostname: hostname.describe('The full name to resolve; search domains are not tried unless `resolver` is system.'),
  port: z.int().min(1).max(65_535).describe('The port of every endpoint.'),
  tls: z.boolean().optional().describe('Whether the endpoints are dialled with TLS; as the cluster says by default.'),
  family: z.union([z.literal(4), z.literal(6), z.literal('any')]).default('any')
    .describe('Which addresses to use: 4 (A), 6 (AAAA), or any: both, where one family may be missing.'),
  minTtl: duration.default(1_000).describe('Never asks again sooner, whatever the records say.'),
  maxTtl: duration.default(30_000).describe('Never asks again later, whatever the records say.'),
  resolver: z.enum(['dns', 'system']).default('dns')
    .describe("Whom to ask: DNS servers, with the records' own TTLs, or the system (hosts file, search domains), every 5 s."),
  servers: z.array(z.string().refine(isServer, { error: "is not an IP address with an optional port, as in '10.0.0.2:53'" })).min(1).optional()
    .describe("The DNS servers to ask, as 'ip', 'ip:port' or '[v6]:port'; the system's by default."),
}).refine(({ minTtl, maxTtl }) => minTtl <= maxTtl, { path: ['minTtl'], error: 'is longer than maxTtl' })
  .refine(({ resolver, servers }) => resolver === 'dns' || servers === undefined, {
    path: ['servers'],
    error: "has no effect while `resolver` is 'system': leave one of the two out",
  })

type DnsConfig = z.output<typeof dnsConfig>

/** What to take for a TTL, in seconds, where an answer brings none: no such name, or the system's resolver. */
const unstatedTtl = 5

const resolveWith = (servers: readonly string[] | undefined): ResolveAddresses => async (hostname, family, signal) => {
  // One per question: cancelling it ends this question only, and nothing is remembered beyond the TTL.
  const resolver = new Resolver({ timeout: 2_000, tries: 2 })
  if (servers) resolver.setServers(servers)
  const cancel = (): void => resolver.cancel()
  signal.addEventListener('abort', cancel, { once: true })
  try {
    return await (family === 4 ? resolver.resolve4(hostname, { ttl: true }) : resolver.resolve6(hostname, { ttl: true }))
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}

const resolveBySystem: ResolveAddresses = async (hostname, family) => {
  const found = await lookup(hostname, { all: true, family })
  return found.map(({ address }) => ({ address, ttl: unstatedTtl }))
}

const saysNone = (error: unknown): boolean => {
  const code = (error as { code?: unknown } | null)?.code
  return code === 'ENOTFOUND' || code === 'ENODATA'
}

/**
 * The addresses of all families asked for. A family that could not be told is overlooked while another one has addresses,
 * since many name servers answer A and fail on AAAA; with nothing to show for it, it throws.
 */
const resolveAll = async ({ hostname, family }: DnsConfig, resolve: ResolveAddresses, signal: AbortSignal): Promise<readonly DnsRecord[]> => {
  const families = family === 'any' ? [4, 6] as const : [family]
  const answers = await Promise.allSettled(families.map(async (one) => resolve(hostname, one, signal)))
  const records = answers.flatMap((answer) => answer.status === 'fulfilled' ? answer.value : [])
  const untold = answers.find((answer) => answer.status === 'rejected' && !saysNone(answer.reason))
  if (untold && (records.length === 0 || signal.aborted)) throw (untold as PromiseRejectedResult).reason
  return records
}

/** The dns kind with another way of asking, for tests. */
export const dnsWith = (resolverFor: (config: DnsConfig) => ResolveAddresses) => kind('dns', dnsConfig, (config): Registry => {
  const resolve = resolverFor(config)
  const { port, tls, minTtl, maxTtl } = config
  return polling(async (signal) => {
    const records = await resolveAll(config, resolve, signal)
    const ttl = Math.min(...(records.length > 0 ? records.map((record) => record.ttl) : [unstatedTtl])) * 1_000
    return {
      endpoints: records.map(({ address }) => ({
        address: isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`,
        ...(tls !== undefined && { tls }),
      })),
      again: Math.min(maxTtl, Math.max(minTtl, ttl)),
    }
  })
})

/**
 * The addresses (A and AAAA) that a name has, asked again when the shortest TTL is over.
 * No such name, or no addresses, is an empty set; a server that fails or keeps silent is a failure.
 */
export const dns = dnsWith(({ resolver, servers }) => resolver === 'system' ? resolveBySystem : resolveWith(servers))
