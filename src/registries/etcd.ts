import { z } from 'zod'
import { duration } from '../config/duration.ts'
import { readSecret } from '../config/secret.ts'
import { kind } from '../core/family.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { endpointAddress } from './address.ts'
import { ask, askLines, placeOf, serverUrl, Servers, serverUser, shaped, type Question } from './http.ts'
import { endpointsAmong, type Listed } from './instances.ts'
import { Looks } from './looks.ts'
import type { Registry } from './registry.ts'
import { readServerTls, serverTls } from './server-tls.ts'

const etcdConfig = z.strictObject({
  servers: z.array(serverUrl).min(1).default(['http://127.0.0.1:2379']).describe('URLs of members, any of which can answer; the next one is asked when one fails.'),
  prefix: z.string().min(1).describe("What the keys of the instances begin with. End it with a slash: '/pricing' has the keys of '/pricing-v2/' too."),
  ...serverUser,
  tls: z.boolean().optional().describe('Whether the endpoints are dialled with TLS where their values do not say; as the cluster says by default.'),
  serverTls: serverTls.optional().describe('How to speak TLS to the members, where their URLs are https.'),
  refresh: duration.default(300_000).describe('After this time all keys are read again, news or not.'),
  timeout: duration.default(5_000).describe('How long a member may take to answer before the next one is asked.'),
}).refine(({ user, password }) => (user === undefined) === (password === undefined), { path: ['user'], error: 'belongs together with `password`: write both or none' })

type EtcdConfig = z.output<typeof etcdConfig>

// The gateway writes 64-bit numbers as text, and leaves out what is 0 or empty.
const pair = z.object({ key: z.base64(), value: z.base64().default('') })
const head = z.object({ revision: z.string().regex(/^\d+$/) })
const range = z.object({ header: head, kvs: z.array(pair).default([]) })
const event = z.object({ type: z.string().default('PUT'), kv: pair })
const message = z.object({
  error: z.object({ message: z.string() }).optional(),
  result: z.object({
    events: z.array(event).default([]),
    canceled: z.boolean().default(false),
    cancel_reason: z.string().default(''),
    compact_revision: z.string().default('0'),
  }).optional(),
})

/** What an instance's value may be in full; a bare address is the short form. */
const details = z.object({
  address: endpointAddress,
  weight: z.number().positive().max(1_000_000).optional(),
  tls: z.boolean().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
})

/** As the gateway writes keys and values. */
export const base64 = (text: string | Buffer): string => Buffer.from(text).toString('base64')
const textOf = (encoded: string): string => Buffer.from(encoded, 'base64').toString('utf8')

/** The first key after all that begin with a prefix: its last byte that can be is one higher. */
const endOf = (prefix: string): Buffer => {
  const bytes = [...Buffer.from(prefix)]
  bytes.push(bytes.pop()! + 1)
  return Buffer.from(bytes)
}

const parsedValue = (text: string): unknown => {
  if (!text.startsWith('{')) return { address: text }
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const listed = (id: string, value: string, { tls }: EtcdConfig): Listed => {
  const { data } = details.safeParse(parsedValue(value.trim()))
  if (!data) return { address: undefined }
  const { address, ...rest } = data
  return {
    ...(tls !== undefined && { tls }),
    ...address,
    ...Object.fromEntries(Object.entries(rest).filter(([, given]) => given !== undefined)),
    id,
  }
}

/** All keys as a member knows them, and what is needed to hear from it what becomes of them. */
interface Reading {
  readonly values: Map<string, string>
  readonly revision: bigint
  readonly question: Omit<Question, 'url' | 'signal'>
  readonly server: string
}

const keysOf = ({ prefix }: EtcdConfig): object => ({ key: base64(prefix), range_end: base64(endOf(prefix)) })

/** The header that a member wants of a user; none where nobody has to sign in. */
export const signedIn = async ({ user, password }: Pick<EtcdConfig, 'user' | 'password'>, question: Omit<Question, 'url'>, server: string): Promise<Record<string, string>> => {
  if (user === undefined) return {}
  const asked = { ...question, url: `${server}/v3/auth/authenticate`, body: { name: user, password: await readSecret(password!) } }
  const { token } = shaped(z.object({ token: z.string() }), (await ask(asked)).value, asked)
  return { authorization: token }
}

const read = async (config: EtcdConfig, server: string, signal: AbortSignal, { clock }: Runtime): Promise<Reading> => {
  const plain = { clock, timeout: config.timeout, tls: await readServerTls(config.serverTls) }
  const question = { ...plain, headers: await signedIn(config, { ...plain, signal }, server) }
  const asked = { ...question, signal, url: `${server}/v3/kv/range`, body: keysOf(config) }
  const { header, kvs } = shaped(range, (await ask(asked)).value, asked)
  return { values: new Map(kvs.map(({ key, value }) => [textOf(key), textOf(value)])), revision: BigInt(header.revision), question, server }
}

/** The values, changed in place, after each change later than a reading. Ends when it is time to read again: changes that were missed are compacted away. */
async function* changes(config: EtcdConfig, { values, revision, question, server }: Reading, signal: AbortSignal): AsyncGenerator<Map<string, string>> {
  const asked = {
    ...question,
    signal,
    url: `${server}/v3/watch`,
    body: { create_request: { ...keysOf(config), start_revision: String(revision + 1n) } },
    // A member cut off from the others would keep silent; so it says that it has no leader.
    headers: { ...question.headers, 'grpc-metadata-hasleader': 'true' },
    patient: true,
  }
  for await (const said of askLines(asked, config.refresh)) {
    const { error, result } = shaped(message, said, asked)
    if (error) throw new Error(`${placeOf(asked)} ended the watch: ${error.message}`)
    if (result?.canceled && result.compact_revision !== '0') return
    if (result?.canceled) throw new Error(`${placeOf(asked)} ended the watch: ${result.cancel_reason || 'it gave no reason'}`)
    if (!result || result.events.length === 0) continue
    for (const { type, kv } of result.events) {
      if (type === 'DELETE') values.delete(textOf(kv.key))
      else values.set(textOf(kv.key), textOf(kv.value))
    }
    yield values
  }
}

/**
 * The keys of etcd that begin with a prefix, each an instance: `host:port`, or JSON with `address`, `weight`, `tls` and `metadata`.
 * Read once, and watched from that revision on, by the JSON gateway of its v3 API. No keys is an empty set.
 */
export const etcd = kind('etcd', etcdConfig, (config, runtime): Registry => {
  const servers = new Servers(config.servers, Math.floor(runtime.random() * config.servers.length))
  return async function* (watch) {
    const looks = new Looks(watch, runtime.clock)
    const endpoints = ({ values, server }: Pick<Reading, 'values' | 'server'>) =>
      endpointsAmong([...values].map(([key, value]) => listed(key, value, config)), `${new URL(server).host} under '${config.prefix}'`)
    // Whatever ended the watch before this one may have been its member's fault.
    servers.next()
    while (!watch.signal.aborted) {
      looks.take()
      const reading = await servers.ask(watch.signal, (server) => read(config, server, watch.signal, runtime))
      yield endpoints(reading)
      for await (const values of looks.until((signal) => changes(config, reading, signal))) yield endpoints({ ...reading, values })
    }
  }
})
