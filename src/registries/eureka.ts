import { z } from 'zod'
import { duration } from '../config/duration.ts'
import { readSecret } from '../config/secret.ts'
import { kind } from '../core/family.ts'
import type { Clock } from '../runtime/clock.ts'
import { ask, serverUrl, Servers, serverUser, shaped, type Question } from './http.ts'
import { addressOf, endpointsAmong, metadataOf, type Listed } from './instances.ts'
import { polling } from './polling.ts'
import type { Registry } from './registry.ts'
import { readServerTls, serverTls } from './server-tls.ts'

const eurekaConfig = z.strictObject({
  servers: z.array(serverUrl).min(1).describe("URLs of Eureka with their path, asked in turn until one answers: 'http://eureka.internal:8761/eureka'."),
  app: z.string().min(1).optional().describe('The application to look up; upper and lower case are the same.'),
  vip: z.string().min(1).optional().describe('The VIP address to look up, in place of an application; with `secure` the secure one.'),
  secure: z.boolean().default(false).describe('Whether to use the secure port, and dial it with TLS.'),
  address: z.enum(['hostname', 'ip']).default('hostname').describe('Which address of an instance to dial: the host name it registered with, or its IP address.'),
  ...serverUser,
  serverTls: serverTls.optional().describe('How to speak TLS to the servers, where their URLs are https.'),
  interval: duration.default(30_000).refine((ms) => ms >= 1_000, 'must be at least 1s').describe('How often to ask; Eureka answers from a cache that it renews every 30 s.'),
  timeout: duration.default(10_000).describe('How long a server may take to answer before the next one is asked.'),
}).refine(({ app, vip }) => (app === undefined) !== (vip === undefined), { path: ['app'], error: 'is one of two: write `app` or `vip`' })
  .refine(({ user, password }) => (user === undefined) === (password === undefined), { path: ['user'], error: 'belongs together with `password`: write both or none' })

type EurekaConfig = z.output<typeof eurekaConfig>

// Old servers write a list of one as the one, and numbers and booleans as text.
const listOf = <Shape extends z.ZodType>(shape: Shape) => z.preprocess((value): unknown => Array.isArray(value) ? value : value == null ? [] : [value], z.array(shape))
const texts = z.record(z.string(), z.unknown()).nullish()
const port = z.object({ '$': z.coerce.number(), '@enabled': z.union([z.boolean(), z.string()]).transform(String) }).nullish()

const instance = z.object({
  instanceId: z.string().nullish(),
  hostName: z.string(),
  app: z.string(),
  ipAddr: z.string().nullish(),
  status: z.string(),
  port,
  securePort: port,
  metadata: texts,
  dataCenterInfo: z.object({ metadata: texts }).nullish(),
  actionType: z.string().nullish(),
})

type Instance = z.output<typeof instance>

const answer = z.object({
  applications: z.object({ apps__hashcode: z.string().default(''), application: listOf(z.object({ instance: listOf(instance) })) }),
})

interface Applications {
  readonly hash: string
  readonly instances: readonly Instance[]
}

const idOf = ({ instanceId, hostName, app }: Instance): string => `${app}/${instanceId || hostName}`

const textOf = (value: unknown): string | undefined => typeof value === 'string' ? value : undefined

const listed = (one: Instance, { secure, address }: EurekaConfig): Listed => {
  const { '@class': _, ...metadata } = one.metadata ?? {}
  const used = secure ? one.securePort : one.port
  return {
    id: idOf(one),
    address: addressOf(address === 'ip' ? one.ipAddr ?? undefined : one.hostName, used?.['@enabled'] === 'true' ? used.$ : undefined),
    ...(secure && { tls: true }),
    metadata: metadataOf({
      zone: textOf(one.dataCenterInfo?.metadata?.['availability-zone']),
      ...Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, textOf(value)])),
      app: one.app,
    }),
  }
}

/** A question to a server, signed in where it asks for that. */
export const questionOf = async (config: Pick<EurekaConfig, 'user' | 'password' | 'timeout' | 'serverTls'>, server: string, path: string, signal: AbortSignal, clock: Clock): Promise<Question> => {
  const { user, password, timeout } = config
  const signedIn = user === undefined ? undefined : Buffer.from(`${user}:${await readSecret(password!)}`).toString('base64')
  return {
    url: `${server}${path}`,
    headers: signedIn === undefined ? {} : { authorization: `Basic ${signedIn}` },
    tls: await readServerTls(config.serverTls),
    signal, clock, timeout,
  }
}

/** What a path of a server lists; `undefined` where it says that there is nothing of the kind. */
const fetched = async (question: Question): Promise<Applications | undefined> => {
  const { status, value } = await ask(question)
  if (status !== 200) return undefined
  const { applications: { apps__hashcode: hash, application } } = shaped(answer, value, question)
  return { hash, instances: application.flatMap((one) => one.instance) }
}

/** All that is registered, as far as it is needed: our own instances whole, and of each other one its status, for the hash. */
class Replica {
  readonly #app: string
  readonly #statuses = new Map<string, string>()
  readonly #own = new Map<string, Instance>()

  constructor(app: string, instances: readonly Instance[]) {
    this.#app = app.toUpperCase()
    for (const one of instances) this.apply({ ...one, actionType: 'ADDED' })
  }

  get own(): readonly Instance[] {
    return [...this.#own.values()]
  }

  apply(one: Instance): void {
    const id = idOf(one)
    const gone = one.actionType === 'DELETED'
    if (gone) this.#statuses.delete(id)
    else this.#statuses.set(id, one.status)
    if (one.app.toUpperCase() !== this.#app) return
    if (gone) this.#own.delete(id)
    else this.#own.set(id, one)
  }

  /** As the server computes it: each status with how often it occurs, by name. */
  hash(): string {
    const counts = new Map<string, number>()
    for (const status of this.#statuses.values()) counts.set(status, (counts.get(status) ?? 0) + 1)
    return [...counts].sort(([one], [other]) => one < other ? -1 : 1).map(([status, count]) => `${status}_${count}_`).join('')
  }
}

/** Brings a replica up to date with the latest changes. Tells whether it is now what the server has. */
const caughtUp = (replica: Replica, { hash, instances }: Applications): boolean => {
  for (const one of instances) replica.apply(one)
  return replica.hash() === hash
}

/**
 * The instances of an application in Eureka, or those behind a VIP address, that are UP. An application is read out of all that is registered,
 * once, and then kept up to date by the changes (`/apps/delta`); when their hash does not fit, all is read again. A VIP address is looked up each time.
 * An application or VIP address that nobody registered is an empty set.
 */
export const eureka = kind('eureka', eurekaConfig, (config, { clock }): Registry => (watch) => {
  const { app, vip, secure, interval } = config
  const servers = new Servers(config.servers)
  let replica: Replica | undefined
  const read = (path: string, also: readonly number[], signal: AbortSignal): Promise<Applications | undefined> =>
    servers.ask(signal, async (server) => fetched({ ...await questionOf(config, server, path, signal, clock), also }))
  const ofVip = async (signal: AbortSignal): Promise<readonly Instance[]> =>
    (await read(`/${secure ? 'svips' : 'vips'}/${encodeURIComponent(vip!)}`, [404], signal))?.instances ?? []
  const ofApp = async (signal: AbortSignal): Promise<readonly Instance[]> => {
    // A server may have its changes switched off, which it says by 403.
    const changes = replica && await read('/apps/delta', [403, 404], signal)
    if (!replica || !changes || !caughtUp(replica, changes)) {
      replica = undefined
      replica = new Replica(app!, (await read('/apps', [], signal))?.instances ?? [])
    }
    return replica.own
  }
  return polling(async (signal) => {
    const instances = await (app === undefined ? ofVip(signal) : ofApp(signal))
    const up = instances.filter(({ status }) => status === 'UP')
    return { endpoints: endpointsAmong(up.map((one) => listed(one, config)), `Eureka for '${app ?? vip!}'`), again: interval }
  }, interval)(watch)
})
