import { z } from 'zod'
import { duration } from '../config/duration.ts'
import { readSecret, secret } from '../config/secret.ts'
import { kind } from '../core/family.ts'
import { serverUrl, tell } from '../registries/http.ts'
import type { Registrar } from './registrar.ts'
import { readServerTls, serverTls } from '../registries/server-tls.ts'

const consulConfig = z.strictObject({
  server: serverUrl.default('http://127.0.0.1:8500')
    .describe('URL of the agent that the instance belongs to, which is the one of its machine; another agent would list it as well.'),
  tags: z.array(z.string().min(1)).optional().describe('Tags of the instance.'),
  weight: z.int().min(1).optional().describe('Its share of the traffic while it is well; 1 by default.'),
  namespace: z.string().min(1).optional().describe("The namespace (Consul Enterprise); the token's own by default."),
  partition: z.string().min(1).optional().describe("The admin partition (Consul Enterprise); the agent's own by default."),
  token: secret.optional().describe('The ACL token: { env } or { file }, read for each question; it needs service:write for the service.'),
  serverTls: serverTls.optional().describe('How to speak TLS to the agent, where its URL is https.'),
  ttl: duration.default(15_000).refine((ms) => ms >= 1_000, 'must be at least 1s')
    .describe('How long after its last sign of life an instance counts as critical; it gives three in that time.'),
  forget: duration.default(60_000).refine((ms) => ms >= 60_000, 'must be at least 1m, as Consul has it')
    .describe('How long after that Consul forgets it.'),
  timeout: duration.default(5_000).describe('How long an answer may take.'),
})

const seconds = (ms: number): string => `${ms / 1_000}s`

/** An instance in Consul, as a service of an agent with a TTL check, which says by itself when the instance is not well. */
export const consul = kind('consul', consulConfig, (config, { clock }): Registrar => ({ service, id, host, port, metadata }) => {
  const { server, tags, weight, namespace, partition, token, ttl, forget, timeout } = config
  const check = `service:${id}`
  const put = async (path: string, signal: AbortSignal, body?: object, also?: readonly number[]): Promise<number> => tell({
    url: `${server}/v1/agent/${path}`,
    method: 'PUT',
    query: new URLSearchParams({ ...(namespace !== undefined && { ns: namespace }), ...(partition !== undefined && { partition }) }),
    ...(body && { body }),
    ...(also && { also }),
    headers: token ? { 'x-consul-token': await readSecret(token) } : {},
    tls: await readServerTls(config.serverTls),
    signal, clock, timeout,
  })
  const status = (healthy: boolean): string => healthy ? 'passing' : 'critical'
  return {
    every: ttl / 3,
    // Those who ask by blocking queries hear at once; the rest is for those who are asking anew just then.
    propagation: 5_000,
    register: async (healthy, signal) => {
      await put('service/register', signal, {
        ID: id, Name: service, Address: host, Port: port, Meta: metadata,
        ...(tags && { Tags: tags }),
        ...(weight !== undefined && { Weights: { Passing: weight, Warning: 1 } }),
        Check: { CheckID: check, Name: 'alive', TTL: seconds(ttl), Status: status(healthy), DeregisterCriticalServiceAfter: seconds(forget) },
      })
    },
    // An agent says of a check that it does not know 404, or 500 if it is old, which is a failure and leads to registering afresh too.
    renew: async (healthy, signal) => await put(`check/update/${encodeURIComponent(check)}`, signal, { Status: status(healthy) }, [404]) !== 404,
    deregister: async (signal) => { await put(`service/deregister/${encodeURIComponent(id)}`, signal, undefined, [404]) },
  }
})
