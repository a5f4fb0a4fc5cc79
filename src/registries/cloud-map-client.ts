import type { ServiceDiscoveryClient } from '@aws-sdk/client-servicediscovery'
import { z } from 'zod'
import type { Clock } from '../runtime/clock.ts'
import { connect, type AwsAccess, type Connected } from './cloud-map-sdk.ts'
import { longestAnswer, shapedAt } from './http.ts'
import { ThrottledError } from './registry.ts'

/** A service of Cloud Map by its names. */
export interface NamedService {
  readonly namespace: string
  readonly service: string
  /** Account that the namespace belongs to, where it is another one's. */
  readonly ownerAccount?: string | undefined
}

/** An instance as Cloud Map tells it. */
export interface Instance {
  readonly id: string
  readonly health: 'HEALTHY' | 'UNHEALTHY' | 'UNKNOWN'
  readonly attributes: Readonly<Record<string, string>>
}

/** All instances of a service, whatever their health. */
export interface Listing {
  readonly instances: readonly Instance[]
  /** Another one when an instance comes, goes or changes, and not with health; `undefined` where there is no such service. */
  readonly revision: string | undefined
  /** Why there is no such service; absent where there is. */
  readonly missing?: string
}

/** Asks Cloud Map, once for each call. Rejects where it could not tell. */
export interface CloudMapClient {
  list(service: NamedService, signal: AbortSignal): Promise<Listing>
  /** The revision of what `list` would answer; `undefined` where there is no such service. */
  revision(service: NamedService, signal: AbortSignal): Promise<string | undefined>
  /** Closes the connections that were kept. It may be asked again. */
  rest(): void
}

/** How Cloud Map is asked. */
export interface CloudMapWay extends AwsAccess {
  /** Milliseconds that an answer may take, finding the credentials included. */
  readonly timeout: number
}

/** The most that one answer lists; there is no next page. As many instances a service may have. */
export const mostListed = 1_000

const longestQuote = 200

const answeredRevision = z.object({ InstancesRevision: z.string().optional() })

const answeredList = answeredRevision.extend({
  Instances: z.array(z.object({
    InstanceId: z.string(),
    // One that came into being later is not known to be unwell, and hides no other.
    HealthStatus: z.enum(['HEALTHY', 'UNHEALTHY', 'UNKNOWN']).catch('UNKNOWN'),
    Attributes: z.record(z.string(), z.string()).default({}),
  })).default([]),
})

/** What to do about an error of the SDK or the API, by its name. */
const advice: Readonly<Record<string, string>> = {
  AccessDeniedException: 'allow servicediscovery:DiscoverInstances and servicediscovery:DiscoverInstancesRevision',
  CredentialsProviderError: 'give the process credentials that the SDK finds, or write `credentials`',
  NamespaceNotFound: 'check `namespace` (its HTTP name), `region`, the account and `ownerAccount`',
  RequestLimitExceeded: "the account's quota for discovery is used up: ask less often (`interval`), or have it raised",
  ServiceNotFound: 'check `service`, or create it',
  ThrottlingException: "the account's quota for discovery is used up: ask less often (`interval`), or have it raised",
}

const absences = new Set(['NamespaceNotFound', 'ServiceNotFound'])
const throttles = new Set(['RequestLimitExceeded', 'ThrottlingException'])

/** What passes between the layers of the SDK: an answer as it came. */
interface RawAnswer {
  body: AsyncIterable<Uint8Array> | Uint8Array
  revision?: string | undefined
}

/** Puts each revision as it is written in place of the number that the SDK makes of it: they are far above what a number holds exactly, and may move by one. */
const keepRevisions = ({ middlewareStack }: ServiceDiscoveryClient): void => {
  middlewareStack.add((next) => async (call) => {
    const answered = await next(call)
    const raw = answered.response as RawAnswer
    const body = await wholeOf(raw.body as AsyncIterable<Uint8Array>)
    raw.body = body
    // Within a text the quotes are escaped, and what an attribute of that name has is a text.
    raw.revision = /"InstancesRevision"\s*:\s*(-?\d+)/.exec(body.toString('latin1'))?.[1]
    return answered
  }, { step: 'deserialize', priority: 'low', name: 'enmeshReadRevision' })
  middlewareStack.add((next) => async (call) => {
    const answered = await next(call)
    Object.assign(answered.output, { InstancesRevision: (answered.response as RawAnswer).revision })
    return answered
  }, { step: 'initialize', name: 'enmeshTellRevision' })
}

const wholeOf = async (body: AsyncIterable<Uint8Array>): Promise<Buffer> => {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > longestAnswer) throw new Error(`the answer is longer than ${longestAnswer / 1024 / 1024} MiB`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Cloud Map through the AWS SDK, which is loaded with the first question. */
export class SdkClient implements CloudMapClient {
  readonly #way: CloudMapWay
  readonly #clock: Clock
  #connected: Promise<Connected> | undefined

  constructor(way: CloudMapWay, clock: Clock) {
    this.#way = way
    this.#clock = clock
  }

  async list(service: NamedService, signal: AbortSignal): Promise<Listing> {
    const asked = { ...inputOf(service), MaxResults: mostListed, HealthStatus: 'ALL' } as const
    const answer = await this.#ask(service, signal, ({ sdk, client }, abortSignal) => client.send(new sdk.DiscoverInstancesCommand(asked), { abortSignal }))
    if (typeof answer === 'string') return { instances: [], revision: undefined, missing: answer }
    const { Instances, InstancesRevision: revision } = shapedAt(answeredList, answer, placeOf(service))
    return { instances: Instances.map(({ InstanceId: id, HealthStatus: health, Attributes: attributes }) => ({ id, health, attributes })), revision }
  }

  async revision(service: NamedService, signal: AbortSignal): Promise<string | undefined> {
    const asked = inputOf(service)
    const answer = await this.#ask(service, signal, ({ sdk, client }, abortSignal) => client.send(new sdk.DiscoverInstancesRevisionCommand(asked), { abortSignal }))
    return typeof answer === 'string' ? undefined : shapedAt(answeredRevision, answer, placeOf(service)).InstancesRevision
  }

  /** An answer, or in words that there is no such service. */
  async #ask(service: NamedService, signal: AbortSignal, send: (connected: Connected, signal: AbortSignal) => Promise<object>): Promise<object | string> {
    const { timeout } = this.#way
    const connected = await until(signal, this.#connect())
    signal.throwIfAborted()
    const limit = new AbortController()
    const cancel = this.#clock.background(timeout, () => limit.abort(new Error(`${placeOf(service)} did not answer within ${timeout} ms`)))
    const stop = (): void => limit.abort(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    try {
      return await until(limit.signal, send(connected, limit.signal))
    } catch (error) {
      if (limit.signal.aborted) throw error
      const words = explained(placeOf(service), error as Error, advice)
      if (absences.has((error as Error).name)) return words
      // Without its cause: what AWS says of a wrong signature repeats the request, session token included.
      throw throttles.has((error as Error).name) ? new ThrottledError(words) : new Error(words)
    } finally {
      cancel()
      signal.removeEventListener('abort', stop)
    }
  }

  /** One client, for its connections and the credentials that it keeps. */
  #connect(): Promise<Connected> {
    return this.#connected ??= this.#begin()
  }

  async #begin(): Promise<Connected> {
    try {
      const connected = await connect(this.#way)
      keepRevisions(connected.client)
      return connected
    } catch (error) {
      this.#connected = undefined
      throw error
    }
  }

  rest(): void {
    void this.#connected?.then(({ client }) => client.destroy(), () => {})
  }
}

const inputOf = ({ namespace, service, ownerAccount }: NamedService) =>
  ({ NamespaceName: namespace, ServiceName: service, ...(ownerAccount !== undefined && { OwnerAccount: ownerAccount }) })

const placeOf = ({ namespace, service }: NamedService): string => `Cloud Map, asked for the service '${service}' in '${namespace}',`

/** What the SDK rejects with; errors of Node's have a code, and answers a status. */
type Failure = Error & { readonly code?: string, readonly $metadata?: { readonly httpStatusCode?: number } }

/** An error of the SDK in words: what was asked, its name, the first line of what it says, cut short, and what to do. */
export const explained = (place: string, error: Failure, advice: Readonly<Record<string, string>>): string => {
  const { name, message, code, $metadata } = error
  const said = message.split('\n')[0]!.replace(/[^\x20-\x7e]+/g, ' ').trim().slice(0, longestQuote)
  const what = [name === 'Error' ? undefined : `with ${name}`, wrapped($metadata?.httpStatusCode ?? code)].filter((part) => part !== undefined)
  const hint = advice[name] ?? (/region is missing/i.test(said) ? 'write `region`, or set AWS_REGION' : undefined)
  return `${place} ${['failed', ...what].join(' ')}: ${[said, hint].filter((part) => part !== undefined).join('; ')}`
}

const wrapped = (what: number | string | undefined): string | undefined => what === undefined ? undefined : `(${what})`

/** What a promise comes to, but no longer than until the signal is aborted. */
export const until = <T>(signal: AbortSignal, promise: Promise<T>): Promise<T> => new Promise<T>((resolve, reject) => {
  const stop = (): void => reject(signal.reason as unknown)
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
})
