import { z } from 'zod'
import { duration } from '../config/duration.ts'
import { readSecret, secret } from '../config/secret.ts'
import type { EndpointSpec } from '../core/endpoint.ts'
import { kind } from '../core/family.ts'
import type { Clock } from '../runtime/clock.ts'
import { ask, placeOf, serverUrl, Servers, shaped } from './http.ts'
import { addressOf, endpointsAmong, metadataOf, type Listed } from './instances.ts'
import { Looks } from './looks.ts'
import type { Registry } from './registry.ts'
import { readServerTls, serverTls } from './server-tls.ts'

const consulConfig = z.strictObject({
  servers: z.array(serverUrl).min(1).default(['http://127.0.0.1:8500'])
    .describe('URLs of Consul agents, asked in turn until one answers; the agent of the machine by default.'),
  service: z.string().min(1).describe('The name of the service.'),
  tags: z.array(z.string().min(1)).optional().describe('Tags that an instance must all have.'),
  datacenter: z.string().min(1).optional().describe("The datacenter to ask for; the agent's own by default."),
  namespace: z.string().min(1).optional().describe("The namespace (Consul Enterprise); the token's own by default."),
  partition: z.string().min(1).optional().describe("The admin partition (Consul Enterprise); the agent's own by default."),
  token: secret.optional().describe('The ACL token: { env } or { file }, read for each look; it needs service:read and node:read.'),
  tls: z.boolean().optional().describe('Whether the endpoints are dialled with TLS; as the cluster says by default.'),
  serverTls: serverTls.optional().describe("How to speak TLS to the agents, where their URLs are https."),
  wait: duration.default(300_000).refine((ms) => ms >= 1_000 && ms <= 600_000, 'must be from 1s to 10m, as Consul has it')
    .describe('How long an agent may hold an answer back while nothing changes: 1s to 10m.'),
  timeout: duration.default(10_000).describe('How long an answer may take beyond that.'),
})

type ConsulConfig = z.output<typeof consulConfig>

const texts = z.record(z.string(), z.string()).nullish()

const instances = z.array(z.object({
  Node: z.object({ Node: z.string(), Address: z.string(), Datacenter: z.string().nullish() }),
  Service: z.object({
    ID: z.string(),
    Address: z.string().nullish(),
    Port: z.number().nullish(),
    Tags: z.array(z.string()).nullish(),
    Meta: texts,
    Weights: z.object({ Passing: z.number() }).nullish(),
  }),
}))

type Instance = z.output<typeof instances>[number]

const listed = ({ Node, Service }: Instance, { tls }: ConsulConfig): Listed => ({
  // A service's id is its own on its node only.
  id: `${Node.Node}/${Service.ID}`,
  address: addressOf(Service.Address || Node.Address, Service.Port ?? undefined),
  ...(Service.Weights && Service.Weights.Passing > 0 && { weight: Service.Weights.Passing }),
  ...(tls !== undefined && { tls }),
  metadata: metadataOf({ ...Service.Meta, node: Node.Node, datacenter: Node.Datacenter ?? undefined, tags: Service.Tags?.join(',') }),
})

/** What an agent knows, and as of which index. */
interface Known {
  readonly endpoints: readonly EndpointSpec[]
  readonly index: number
}

const queryOf = ({ tags = [], datacenter, namespace, partition, wait }: ConsulConfig, index: number): URLSearchParams => {
  const query = new URLSearchParams({ passing: '1' })
  for (const tag of tags) query.append('tag', tag)
  for (const [name, value] of Object.entries({ dc: datacenter, ns: namespace, partition })) if (value !== undefined) query.set(name, value)
  if (index > 0) {
    query.set('index', String(index))
    query.set('wait', `${Math.round(wait / 1_000)}s`)
  }
  return query
}

/** What is known now, or with an index above 0 what is known once it has moved on or the wait is over. */
const known = async (config: ConsulConfig, server: string, index: number, signal: AbortSignal, clock: Clock): Promise<Known> => {
  const { wait, timeout, token } = config
  const question = {
    url: `${server}/v1/health/service/${encodeURIComponent(config.service)}`,
    query: queryOf(config, index),
    headers: token ? { 'x-consul-token': await readSecret(token) } : {},
    tls: await readServerTls(config.serverTls),
    signal,
    clock,
    // An agent waits up to a sixteenth longer, so that not all come back at the same time.
    timeout: index > 0 ? wait * 17 / 16 + timeout : timeout,
    patient: index > 0,
  }
  const answer = await ask(question)
  const next = Number(answer.header('x-consul-index'))
  if (!Number.isInteger(next) || next < 0) throw new Error(`${placeOf(question)} answered without X-Consul-Index: check that the URL leads to Consul`)
  const found = shaped(instances, answer.value, question)
  return {
    endpoints: endpointsAmong(found.map((instance) => listed(instance, config)), placeOf(question)),
    // An index of 0 would not wait, so Consul's rule is to take it for 1; one that went back is of another history.
    index: next < index ? 0 : Math.max(1, next),
  }
}

/**
 * The instances of a service in Consul that pass their health checks, by blocking queries: a change arrives as soon as the agent knows it.
 * A service that nobody registered is an empty set.
 */
export const consul = kind('consul', consulConfig, (config, { clock }): Registry => async function* (watch) {
  const servers = new Servers(config.servers)
  const looks = new Looks(watch, clock)
  let index = 0
  while (!watch.signal.aborted) {
    if (looks.take() || index === 0) {
      const found = await servers.ask(watch.signal, (server) => known(config, server, 0, watch.signal, clock))
      yield found.endpoints
      index = found.index
    }
    for await (const found of looks.until((signal) => once(servers.ask(signal, (server) => known(config, server, index, signal, clock))))) {
      yield found.endpoints
      index = found.index
    }
  }
})

async function* once<T>(promise: Promise<T>): AsyncGenerator<T> {
  yield await promise
}
