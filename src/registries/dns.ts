import { lookup, Resolver } from 'node:dns/promises'
import { isIPv4, isIPv6 } from 'node:net'
import { z } from 'zod'
import { duration } from '../config/duration.ts'
import type { EndpointSpec } from '../core/endpoint.ts'
import { kind } from '../core/family.ts'
import { dialledHost, isAddress } from './address.ts'
import { polling } from './polling.ts'
import { noSuchService, type Registry } from './registry.ts'

/** One address that a name has. */
export interface DnsRecord {
  readonly address: string
  /** Seconds for which it may be kept. */
  readonly ttl: number
}

/** One SRV record: a name and a port that offer a service. */
export interface SrvRecord {
  readonly name: string
  readonly port: number
  readonly priority: number
  readonly weight: number
}

/** Asks questions. Rejects like `node:dns`: with the code `ENOTFOUND` (no such name) or `ENODATA` (none of this sort), or another one when it could not tell. */
export interface DnsClient {
  addresses(name: string, family: 4 | 6): Promise<readonly DnsRecord[]>
  services(name: string): Promise<readonly SrvRecord[]>
}

/** Has one look with a client of its own; what it asks ends when the signal is aborted. */
export type Ask = <T>(signal: AbortSignal, look: (client: DnsClient) => Promise<T>) => Promise<T>

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
  record: z.enum(['address', 'srv']).default('address')
    .describe('What to ask for: address (A and AAAA), or srv: SRV records, and the addresses of the names in them.'),
  port: z.int().min(1).max(65_535).optional().describe('The port of every endpoint; SRV records bring their own.'),
  tls: z.boolean().optional().describe('Whether the endpoints are dialled with TLS; as the cluster says by default.'),
  family: z.union([z.literal(4), z.literal(6), z.enum(['any', 'prefer-4', 'prefer-6'])]).default('any')
    .describe('Which addresses to use: 4 (A) only, 6 (AAAA) only, any: both, or prefer-4 and prefer-6: the others only where there are none of these.'),
  responseType: z.enum(['endpoints', 'logical']).default('endpoints')
    .describe('endpoints: each address is one. logical: the name is the only endpoint, and new connections go to the address that it has by then.'),
  minTtl: duration.default(1_000).describe('Never asks again sooner, whatever the records say.'),
  maxTtl: duration.default(30_000).describe('Never asks again later, whatever the records say.'),
  timeout: duration.default(2_000).describe('How long a DNS server is waited for at first, before the next one, or the same once more, is asked.'),
  resolver: z.enum(['dns', 'system']).default('dns')
    .describe("Whom to ask: DNS servers, with the records' own TTLs, or the system (hosts file, search domains), every 5 s."),
  servers: z.array(z.string().refine(isServer, { error: "is not an IP address with an optional port, as in '10.0.0.2:53'" })).min(1).optional()
    .describe("The DNS servers to ask, as 'ip', 'ip:port' or '[v6]:port'; the system's by default."),
}).refine(({ minTtl, maxTtl }) => minTtl <= maxTtl, { path: ['minTtl'], error: 'is longer than maxTtl' })
  .refine(({ timeout }) => timeout > 0, { path: ['timeout'], error: 'is no time at all: no server could answer' })
  .refine(({ resolver, servers }) => resolver === 'dns' || servers === undefined, {
    path: ['servers'],
    error: "has no effect while `resolver` is 'system': leave one of the two out",
  })
  .refine(({ record, port }) => record === 'srv' || port !== undefined, {
    path: ['port'],
    error: "is needed: addresses have none (with `record: 'srv'` the records do)",
  })
  .refine(({ record, port }) => record === 'address' || port === undefined, {
    path: ['port'],
    error: 'has no effect: SRV records bring their own',
  })
  .refine(({ record, resolver }) => record === 'address' || resolver === 'dns', {
    path: ['resolver'],
    error: 'cannot be asked for SRV records: the system knows addresses only',
  })
  .refine(({ record, responseType }) => record === 'address' || responseType === 'endpoints', {
    path: ['responseType'],
    error: "cannot be 'logical' with SRV records: they name several endpoints",
  })

/** Parsed form of the options of `dns`. */
export type DnsConfig = z.output<typeof dnsConfig>

/** What to take for a TTL, in seconds, where an answer brings none: no such name, SRV records as Node tells them, or the system's resolver. */
const unstatedTtl = 5

const askServers = ({ servers, timeout }: DnsConfig): Ask => async (signal, look) => {
  // One per look: cancelling it ends this look only, and nothing is remembered beyond the TTL.
  const resolver = new Resolver({ timeout, tries: 2 })
  if (servers) resolver.setServers(servers)
  const cancel = (): void => resolver.cancel()
  signal.addEventListener('abort', cancel, { once: true })
  try {
    return await look({
      addresses: (name, family) => family === 4 ? resolver.resolve4(name, { ttl: true }) : resolver.resolve6(name, { ttl: true }),
      services: (name) => resolver.resolveSrv(name),
    })
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}

const askSystem: Ask = (_, look) => look({
  addresses: async (name, family) => (await lookup(name, { all: true, family })).map(({ address }) => ({ address, ttl: unstatedTtl })),
  services: () => { throw new TypeError('the system knows addresses only') },
})

const saysNone = (error: unknown): boolean => {
  const code = (error as { code?: unknown } | null)?.code
  return code === 'ENOTFOUND' || code === 'ENODATA'
}

/** What was learnt about the addresses of one family that a name has. */
interface Answer {
  readonly key: string
  readonly records: readonly DnsRecord[]
  /** Why it could not be told; absent where it could. */
  readonly untold?: unknown
}

const ask = async (client: DnsClient, name: string, family: 4 | 6): Promise<Answer> => {
  const key = `${name} ${family}`
  try {
    return { key, records: await client.addresses(name, family) }
  } catch (untold) {
    return { key, records: [], ...(!saysNone(untold) && { untold }) }
  }
}

const asked = { 'prefer-4': [4, 6], 'prefer-6': [6, 4] } as const

const askAll = async (client: DnsClient, name: string, family: DnsConfig['family']): Promise<readonly Answer[]> => {
  if (family === 'any') return Promise.all([ask(client, name, 4), ask(client, name, 6)])
  if (typeof family === 'number') return [await ask(client, name, family)]
  const [first, second] = asked[family]
  const preferred = await ask(client, name, first)
  return preferred.records.length > 0 ? [preferred] : [preferred, await ask(client, name, second)]
}

/** A set, how many seconds it may be kept, and whether its being empty is beyond doubt. */
interface Found {
  readonly endpoints: readonly EndpointSpec[]
  readonly ttl: number
  readonly sure?: boolean
}

const none: Found = { endpoints: [], ttl: unstatedTtl, sure: true }

/** Looks up what a name has. Remembers which questions had an answer, since many name servers answer A and always fail on AAAA. */
class Lookup {
  readonly #config: DnsConfig
  #answered: ReadonlySet<string> = new Set()

  constructor(config: DnsConfig) {
    this.#config = config
  }

  look(client: DnsClient): Promise<Found> {
    return this.#config.record === 'srv' ? this.#services(client) : this.#addresses(client)
  }

  async #addresses(client: DnsClient): Promise<Found> {
    const { hostname, family, port, responseType } = this.#config
    const answers = await askAll(client, hostname, family)
    this.#refuseUntold(answers)
    const records = answers.flatMap((answer) => answer.records)
    if (records.length === 0) return none
    const ttl = Math.min(...records.map((record) => record.ttl))
    if (responseType === 'logical') return { endpoints: [this.#endpoint(hostname, port!, { ip: records[0]!.address })], ttl }
    return { endpoints: [...new Set(records.map(({ address }) => address))].map((address) => this.#endpoint(address, port!)), ttl }
  }

  /** Of the SRV records those of the lowest priority whose names have addresses, as RFC 2782 asks for. */
  async #services(client: DnsClient): Promise<Found> {
    const { hostname, family } = this.#config
    const records = await client.services(hostname).catch((error: unknown) => {
      if (saysNone(error)) return []
      throw error
    })
    // A single '.' for a name says that there is decidedly no such service.
    const offered = records.filter(({ name }) => name !== '' && name !== '.')
    if (offered.length === 0) return none
    const dialled = offered.filter(({ port }) => port > 0)
    if (dialled.length === 0) throw new Error(`the SRV records of '${hostname}' all have the port 0, which cannot be dialled: check who writes them`)
    const priorities = [...new Set(dialled.map(({ priority }) => priority))].sort((a, b) => a - b)
    for (const priority of priorities) {
      const targets = await Promise.all(dialled.filter((record) => record.priority === priority)
        .map(async (record) => ({ record, answers: await askAll(client, record.name, family) })))
      this.#refuseUntold(targets.flatMap(({ answers }) => answers))
      const found = this.#endpointsOf(targets)
      if (found.endpoints.length > 0) return found
    }
    return { endpoints: [], ttl: unstatedTtl }
  }

  #endpointsOf(targets: readonly Target[]): Found {
    const weightless = targets.every(({ record }) => record.weight === 0)
    const byAddress = new Map<string, EndpointSpec>()
    let ttl = unstatedTtl
    for (const { record: { name, port, priority, weight }, answers } of targets) {
      const addresses = answers.flatMap((answer) => answer.records)
      // The weight is the name's; without any it shall be chosen rarely, as the RFC has it.
      const share = (weightless ? 1 : Math.max(weight, 0.01)) / addresses.length
      for (const { address, ttl: own } of addresses) {
        ttl = Math.min(ttl, own)
        const endpoint = this.#endpoint(address, port, { weight: share, metadata: { target: name, priority: String(priority) } })
        if (!byAddress.has(endpoint.address)) byAddress.set(endpoint.address, endpoint)
      }
    }
    return { endpoints: [...byAddress.values()], ttl }
  }

  #endpoint(host: string, port: number, more: Partial<EndpointSpec> = {}): EndpointSpec {
    const { tls } = this.#config
    return { address: isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`, ...(tls !== undefined && { tls }), ...more }
  }

  /**
   * Throws where what could not be told may be missing: when nothing else was found, or when the same question had an answer before.
   * What never had one is overlooked.
   */
  #refuseUntold(answers: readonly Answer[]): void {
    const found = answers.some(({ records }) => records.length > 0)
    const missing = answers.find((answer) => answer.untold !== undefined && (!found || this.#answered.has(answer.key)))
    if (missing) throw missing.untold
    this.#answered = new Set(answers.filter(({ records }) => records.length > 0).map(({ key }) => key))
  }
}

interface Target {
  readonly record: SrvRecord
  readonly answers: readonly Answer[]
}

/** The dns kind with another way of asking, for tests. */
export const dnsWith = (asking: (config: DnsConfig) => Ask) => kind('dns', dnsConfig, (config, { random }): Registry => {
  const { minTtl, maxTtl, resolver } = config
  const asks = asking(config)
  const lookup = new Lookup(config)
  return polling(async (signal) => {
    const { endpoints, ttl, sure = false } = await asks(signal, (client) => lookup.look(client))
    signal.throwIfAborted()
    return {
      endpoints: sure && resolver === 'dns' ? noSuchService : endpoints,
      // Up to a tenth before the end, so that many processes don't ask at one time, and a slow answer comes before it.
      again: Math.max(minTtl, Math.min(maxTtl, ttl * 1_000) * (1 - random() / 10)),
    }
  }, Math.max(minTtl, Math.min(maxTtl, unstatedTtl * 1_000)))
})

/**
 * The endpoints that a name stands for, from its A and AAAA or from its SRV records; asked again before the shortest TTL is over.
 * No such name, or no addresses, is an empty set, for certain where DNS servers say so; a server that fails or keeps silent is a failure.
 */
export const dns = dnsWith((config) => config.resolver === 'system' ? askSystem : askServers(config))
