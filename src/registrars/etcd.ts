import { z } from 'zod'
import { duration } from '../config/duration.ts'
import { kind } from '../core/family.ts'
import { base64, signedIn } from '../registries/etcd.ts'
import { ask, serverUrl, Servers, serverUser, shaped } from '../registries/http.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { listing, type Listing, type Registrar } from './registrar.ts'
import { readServerTls, serverTls } from '../registries/server-tls.ts'

const etcdConfig = z.strictObject({
  servers: z.array(serverUrl).min(1).default(['http://127.0.0.1:2379']).describe('URLs of members, any of which can answer; the next one is asked when one fails.'),
  prefix: z.string().min(1).describe("What the instance's key begins with, its id behind it: the `prefix` that the registry etcd reads."),
  weight: z.number().positive().optional().describe('Its share of the traffic relative to the others, above 0; 1 by default.'),
  tls: z.boolean().optional().describe('Whether it is dialled with TLS; as those who read say by default.'),
  ...serverUser,
  serverTls: serverTls.optional().describe('How to speak TLS to the members, where their URLs are https.'),
  ttl: duration.default(15_000).refine((ms) => ms >= 3_000, 'must be at least 3s').describe('How long after its last sign of life etcd forgets it; it gives three in that time.'),
  timeout: duration.default(5_000).describe('How long a member may take to answer before the next one is asked.'),
}).refine(({ user, password }) => (user === undefined) === (password === undefined), { path: ['user'], error: 'belongs together with `password`: write both or none' })

type EtcdConfig = z.output<typeof etcdConfig>

const granted = z.object({ ID: z.string().regex(/^-?\d+$/) })
// The gateway leaves out what is 0: a lease that is gone has no time left.
const keptAlive = z.object({ result: z.object({ TTL: z.string().default('0') }) })
const anything = z.unknown()

/** Calls one method of the v3 API. `undefined` where a lease is named that etcd does not know. */
type Call = <Shape extends z.ZodType>(method: string, body: object, shape: Shape, signal: AbortSignal) => Promise<z.output<Shape> | undefined>

const caller = (config: EtcdConfig, { clock, random }: Runtime): Call => {
  const servers = new Servers(config.servers, Math.floor(random() * config.servers.length))
  return (method, body, shape, signal) => servers.ask(signal, async (server) => {
    const plain = { clock, timeout: config.timeout, tls: await readServerTls(config.serverTls), signal }
    const question = { ...plain, url: `${server}/v3/${method}`, body, headers: await signedIn(config, plain, server), also: [404] }
    const { status, value } = await ask(question)
    return status === 404 ? undefined : shaped(shape, value, question)
  })
}

const listed = ({ prefix, weight, tls, ttl }: EtcdConfig, call: Call, id: string, details: object): Listing => {
  const key = base64(`${prefix}${id}`)
  let lease: string | undefined
  const put = (): object => ({
    key, lease, value: base64(JSON.stringify({ ...details, ...(weight !== undefined && { weight }), ...(tls !== undefined && { tls }) })),
  })
  return {
    every: ttl / 3,
    // Those who watch hear at once; the rest is for those who are reading anew just then.
    propagation: 5_000,
    register: async (signal) => {
      lease = (await call('lease/grant', { TTL: String(Math.ceil(ttl / 1_000)) }, granted, signal))?.ID
      if (!lease || !await call('kv/put', put(), anything, signal)) throw new Error(`etcd lost the lease of '${prefix}${id}' before it could be used`)
    },
    renew: async (signal) => {
      const alive = await call('lease/keepalive', { ID: lease }, keptAlive, signal)
      if (!alive || alive.result.TTL === '0') return false
      // Somebody may have deleted the key and left its lease.
      const missing = { key, target: 'CREATE', result: 'EQUAL', create_revision: '0' }
      return await call('kv/txn', { compare: [missing], success: [{ request_put: put() }] }, anything, signal) !== undefined
    },
    deregister: async (signal) => {
      if (lease) await call('lease/revoke', { ID: lease }, anything, signal)
      lease = undefined
    },
  }
}

/** An instance as a key of etcd, as the registry etcd reads it, with a lease that its signs of life keep alive. */
export const etcd = kind('etcd', etcdConfig, (config, runtime): Registrar => {
  const call = caller(config, runtime)
  return ({ id, address, metadata }) => listing(listed(config, call, id, { address, metadata }))
})
