import { z } from 'zod'
import { readSecret, type Secret } from '../config/secret.ts'
import type { Clock } from '../runtime/clock.ts'
import { shapedAt } from './http.ts'

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
  /** Moves when an instance comes, goes or changes, and not with health; `undefined` where there is no such service. */
  readonly revision: number | undefined
  /** Why there is no such service; absent where there is. */
  readonly missing?: string
}

/** Asks Cloud Map, once for each call. Rejects where it could not tell. */
export interface CloudMapClient {
  list(service: NamedService, signal: AbortSignal): Promise<Listing>
  /** The revision of what `list` would answer; `undefined` where there is no such service. */
  revision(service: NamedService, signal: AbortSignal): Promise<number | undefined>
  /** Closes the connections that were kept. It may be asked again. */
  rest(): void
}

/** How Cloud Map is reached. */
export interface CloudMapWay {
  readonly region?: string | undefined
  readonly endpoint?: string | undefined
  readonly credentials?: { readonly accessKeyId: Secret, readonly secretAccessKey: Secret, readonly sessionToken?: Secret | undefined } | undefined
  /** Milliseconds that an answer may take, finding the credentials included. */
  readonly timeout: number
}

/** The most that one answer lists; there is no next page. As many instances a service may have. */
export const mostListed = 1_000

const sdkName = '@aws-sdk/client-servicediscovery'
const longestQuote = 200

const answeredList = z.object({
  InstancesRevision: z.number().optional(),
  Instances: z.array(z.object({
    InstanceId: z.string(),
    HealthStatus: z.enum(['HEALTHY', 'UNHEALTHY', 'UNKNOWN']).default('UNKNOWN'),
    Attributes: z.record(z.string(), z.string()).default({}),
  })).default([]),
})

const answeredRevision = z.object({ InstancesRevision: z.number().optional() })

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

const load = async () => {
  try {
    return await import('@aws-sdk/client-servicediscovery')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new Error(`the registry 'cloud-map' needs the package ${sdkName}, which cannot be found: npm install ${sdkName}`, { cause: error })
  }
}

const connect = async ({ region, endpoint, credentials }: CloudMapWay) => {
  const sdk = await load()
  const client = new sdk.ServiceDiscoveryClient({
    // Who asks again, and when, is `follow`'s to say.
    maxAttempts: 1,
    ...(region !== undefined && { region }),
    // The SDK would put `data-` before the host, whatever it is.
    ...(endpoint !== undefined && { endpoint, disableHostPrefix: true }),
    ...(credentials && { credentials: () => readCredentials(credentials) }),
  })
  return { sdk, client }
}

const readCredentials = async ({ accessKeyId, secretAccessKey, sessionToken }: NonNullable<CloudMapWay['credentials']>) => ({
  accessKeyId: await readSecret(accessKeyId),
  secretAccessKey: await readSecret(secretAccessKey),
  ...(sessionToken && { sessionToken: await readSecret(sessionToken) }),
  // As good as over, so that the SDK keeps none and each call reads them anew.
  expiration: new Date(0),
})

/** The SDK and a client of it. */
export type Connected = Awaited<ReturnType<typeof connect>>

/** What Cloud Map, or the SDK, refused with: the name of its error, and in words what to do. */
export class CloudMapError extends Error {
  readonly refusal: string

  constructor(refusal: string, message: string) {
    super(message)
    this.name = 'CloudMapError'
    this.refusal = refusal
  }
}

/** One question to Cloud Map. */
export interface Asking<T> {
  /** What is asked for, in words: the beginning of what is said of a failure. */
  readonly place: string
  readonly signal: AbortSignal
  /** What to do about errors of its own, by their name. */
  readonly advice?: Readonly<Record<string, string>>
  send(connected: Connected, signal: AbortSignal): Promise<T>
}

/** The AWS SDK, which is loaded with the first question. */
export class Sdk {
  readonly #way: CloudMapWay
  readonly #clock: Clock
  #connected: Promise<Connected> | undefined

  constructor(way: CloudMapWay, clock: Clock) {
    this.#way = way
    this.#clock = clock
  }

  /** Asks once. Rejects with a `CloudMapError` for what is refused or fails, and with the signal's reason. */
  async ask<T>({ place, signal, advice, send }: Asking<T>): Promise<T> {
    const { timeout } = this.#way
    const connected = await until(signal, this.#connect())
    const limit = new AbortController()
    const cancel = this.#clock.background(timeout, () => limit.abort(new Error(`${place} did not answer within ${timeout} ms`)))
    const ended = AbortSignal.any([signal, limit.signal])
    try {
      return await until(ended, send(connected, ended))
    } catch (error) {
      if (ended.aborted) throw error
      // Without its cause: what AWS says of a wrong signature repeats the request, session token included.
      throw new CloudMapError((error as Error).name, explained(place, error as Error, advice))
    } finally {
      cancel()
    }
  }

  /** One client, for its connections and the credentials that it keeps. */
  #connect(): Promise<Connected> {
    this.#connected ??= connect(this.#way).catch((error: unknown) => {
      this.#connected = undefined
      throw error
    })
    return this.#connected
  }

  /** Closes the connections that were kept. */
  rest(): void {
    void this.#connected?.then(({ client }) => client.destroy(), () => {})
  }
}

/** Discovery through the SDK. */
export class SdkClient implements CloudMapClient {
  readonly #sdk: Sdk

  constructor(way: CloudMapWay, clock: Clock) {
    this.#sdk = new Sdk(way, clock)
  }

  async list(service: NamedService, signal: AbortSignal): Promise<Listing> {
    const asked = { ...inputOf(service), MaxResults: mostListed, HealthStatus: 'ALL' } as const
    const answer = await this.#ask(service, signal, ({ sdk, client }, abortSignal) => client.send(new sdk.DiscoverInstancesCommand(asked), { abortSignal }))
    if (typeof answer === 'string') return { instances: [], revision: undefined, missing: answer }
    const { Instances, InstancesRevision: revision } = shapedAt(answeredList, answer, placeOf(service))
    return { instances: Instances.map(({ InstanceId: id, HealthStatus: health, Attributes: attributes }) => ({ id, health, attributes })), revision }
  }

  async revision(service: NamedService, signal: AbortSignal): Promise<number | undefined> {
    const asked = inputOf(service)
    const answer = await this.#ask(service, signal, ({ sdk, client }, abortSignal) => client.send(new sdk.DiscoverInstancesRevisionCommand(asked), { abortSignal }))
    return typeof answer === 'string' ? undefined : shapedAt(answeredRevision, answer, placeOf(service)).InstancesRevision
  }

  /** An answer, or in words that there is no such service. */
  async #ask<T extends object>(service: NamedService, signal: AbortSignal, send: Asking<T>['send']): Promise<T | string> {
    try {
      return await this.#sdk.ask({ place: placeOf(service), signal, send })
    } catch (error) {
      if (error instanceof CloudMapError && absences.has(error.refusal)) return error.message
      throw error
    }
  }

  rest(): void {
    this.#sdk.rest()
  }
}

const inputOf = ({ namespace, service, ownerAccount }: NamedService) =>
  ({ NamespaceName: namespace, ServiceName: service, ...(ownerAccount !== undefined && { OwnerAccount: ownerAccount }) })

const placeOf = ({ namespace, service }: NamedService): string => `Cloud Map, asked for the service '${service}' in '${namespace}',`

/** What the SDK rejects with; errors of Node's have a code, and answers a status. */
type Failure = Error & { readonly code?: string, readonly $metadata?: { readonly httpStatusCode?: number } }

/** An error of the SDK in words: its name, the first line of what it says, cut short, and what to do. */
const explained = (place: string, error: Failure, own: Asking<unknown>['advice'] = {}): string => {
  const { name, message, code, $metadata } = error
  const said = message.split('\n')[0]!.replace(/[^\x20-\x7e]+/g, ' ').trim().slice(0, longestQuote)
  const what = [name === 'Error' ? undefined : `with ${name}`, wrapped($metadata?.httpStatusCode ?? code)].filter((part) => part !== undefined)
  const hint = own[name] ?? advice[name] ?? (/region is missing/i.test(said) ? 'write `region`, or set AWS_REGION' : undefined)
  return `${place} ${['failed', ...what].join(' ')}: ${[said, hint].filter((part) => part !== undefined).join('; ')}`
}

const wrapped = (what: number | string | undefined): string | undefined => what === undefined ? undefined : `(${what})`

/** What a promise comes to, but no longer than until the signal is aborted. */
export const until = <T>(signal: AbortSignal, promise: Promise<T>): Promise<T> => new Promise<T>((resolve, reject) => {
  const stop = (): void => reject(signal.reason)
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
})
