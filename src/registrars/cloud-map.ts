import { isIPv4, isIPv6 } from 'node:net'
import { z } from 'zod'
import { duration } from '../config/duration.ts'
import { kind } from '../core/family.ts'
import { explained, until } from '../registries/cloud-map-client.ts'
import { awsAccess, connect, type Connected } from '../registries/cloud-map-sdk.ts'
import type { Clock } from '../runtime/clock.ts'
import { listing, type Instance, type Registrar, type Registration } from './registrar.ts'

const cloudMapConfig = z.strictObject({
  serviceId: z.string().min(1).describe("The service, by its id ('srv-…') or ARN: Cloud Map registers by no other name."),
  customHealth: z.boolean().default(false)
    .describe('Whether the service has a custom health check (HealthCheckCustomConfig), which is then told how the instance is. Without one, an instance that is not well is not listed.'),
  interval: duration.default(60_000).refine((ms) => ms >= 1_000, 'must be at least 1s').describe('How often it is looked whether Cloud Map still has the instance.'),
  ...awsAccess,
  timeout: duration.default(5_000).refine((ms) => ms > 0, 'is no time at all: nobody could answer').describe('How long an answer may take.'),
})

type CloudMapConfig = z.output<typeof cloudMapConfig>

/** Time until an operation is asked for again, in milliseconds: twice as long each time, up to the second. */
const shortestRest = 250
const longestRest = 2_000

const advice: Readonly<Record<string, string>> = {
  AccessDeniedException: 'allow servicediscovery:RegisterInstance, DeregisterInstance, GetInstance, GetOperation and UpdateInstanceCustomHealthStatus',
  CredentialsProviderError: 'give the process credentials that the SDK finds, or write `credentials`',
  CustomHealthNotFound: 'the service has no custom health check: leave `customHealth` out',
  ResourceLimitExceeded: 'the service, or its namespace, has as many instances as it may',
  ServiceNotFound: 'check `serviceId`, `region` and the account',
  ThrottlingException: 'too many calls at once in this account',
}

const attributesOf = ({ host, port, metadata: { zone, ...metadata } }: Instance): Record<string, string> => ({
  ...metadata,
  [isIPv4(host) ? 'AWS_INSTANCE_IPV4' : isIPv6(host) ? 'AWS_INSTANCE_IPV6' : 'AWS_INSTANCE_CNAME']: host,
  AWS_INSTANCE_PORT: String(port),
  ...(zone !== undefined && { AVAILABILITY_ZONE: zone }),
})

class RefusedCall extends Error {
  /** The name of the API's error. */
  readonly refusal: string

  constructor(refusal: string, message: string) {
    super(message)
    this.refusal = refusal
  }
}

/** The calls about one instance, each of which resolves when its effect is there. */
class Calls {
  readonly #config: CloudMapConfig
  readonly #clock: Clock
  readonly #name: { readonly ServiceId: string, readonly InstanceId: string }
  readonly #place: string
  #connected: Promise<Connected> | undefined

  constructor(config: CloudMapConfig, clock: Clock, id: string) {
    this.#config = config
    this.#clock = clock
    this.#name = { ServiceId: config.serviceId, InstanceId: id }
    this.#place = `Cloud Map, asked about the instance '${id}' of '${config.serviceId}',`
  }

  async register(attributes: Record<string, string>, signal: AbortSignal): Promise<void> {
    await this.#done(await this.#ask(signal, ({ sdk, client }, abortSignal) =>
      client.send(new sdk.RegisterInstanceCommand({ ...this.#name, Attributes: attributes }), { abortSignal })), signal)
  }

  async deregister(signal: AbortSignal): Promise<void> {
    const begun = await this.#known(this.#ask(signal, ({ sdk, client }, abortSignal) => client.send(new sdk.DeregisterInstanceCommand(this.#name), { abortSignal })))
    if (begun) await this.#done(begun, signal)
  }

  /** Whether Cloud Map has the instance. */
  async has(signal: AbortSignal): Promise<boolean> {
    return await this.#known(this.#ask(signal, ({ sdk, client }, abortSignal) => client.send(new sdk.GetInstanceCommand(this.#name), { abortSignal }))) !== undefined
  }

  /** `false` where Cloud Map does not have the instance. */
  async mark(healthy: boolean, signal: AbortSignal): Promise<boolean> {
    const asked = { ...this.#name, Status: healthy ? 'HEALTHY' : 'UNHEALTHY' } as const
    return await this.#known(this.#ask(signal, ({ sdk, client }, abortSignal) => client.send(new sdk.UpdateInstanceCustomHealthStatusCommand(asked), { abortSignal }))) !== undefined
  }

  /** Asks once. Rejects with an `Error` in words whose cause is left out: what AWS says of a wrong signature repeats the request. */
  async #ask<T>(signal: AbortSignal, send: (connected: Connected, signal: AbortSignal) => Promise<T>): Promise<T> {
    const { timeout } = this.#config
    const limit = new AbortController()
    const cancel = this.#clock.background(timeout, () => limit.abort(new Error(`${this.#place} did not answer within ${timeout} ms`)))
    const stop = (): void => limit.abort(signal.reason)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    try {
      return await until(limit.signal, this.#connect().then((connected) => send(connected, limit.signal)))
    } catch (error) {
      if (limit.signal.aborted) throw error
      throw new RefusedCall((error as Error).name, explained(this.#place, error as Error, advice))
    } finally {
      cancel()
      signal.removeEventListener('abort', stop)
    }
  }

  #connect(): Promise<Connected> {
    this.#connected ??= connect(this.#config).catch((error: unknown) => {
      this.#connected = undefined
      throw error
    })
    return this.#connected
  }

  /** An answer, or `undefined` where Cloud Map does not have the instance. */
  async #known<T>(answer: Promise<T>): Promise<T | undefined> {
    try {
      return await answer
    } catch (error) {
      if (error instanceof RefusedCall && error.refusal === 'InstanceNotFound') return undefined
      throw error
    }
  }

  /** Registering and deregistering are operations that take their time. */
  async #done({ OperationId: id }: { readonly OperationId?: string | undefined }, signal: AbortSignal): Promise<void> {
    for (let rest = shortestRest; ; rest = Math.min(longestRest, rest * 2)) {
      const { Operation: operation } = await this.#ask(signal, ({ sdk, client }, abortSignal) =>
        client.send(new sdk.GetOperationCommand({ OperationId: id }), { abortSignal }))
      if (operation?.Status === 'SUCCESS') return
      if (operation?.Status === 'FAIL') throw new Error(`${this.#place} failed (${operation.ErrorCode ?? 'no code'}): ${operation.ErrorMessage ?? 'it gave no reason'}`)
      await this.#pause(rest, signal)
    }
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    let cancel = (): void => {}
    const rested = new Promise<void>((resolve) => { cancel = this.#clock.background(ms, resolve) })
    await until(signal, rested).finally(() => cancel())
  }
}

const withHealth = (calls: Calls, instance: Instance, every: Pick<Registration, 'every' | 'propagation'>): Registration => {
  let said: boolean | undefined
  const mark = async (healthy: boolean, signal: AbortSignal): Promise<boolean> => {
    said = undefined
    const known = await calls.mark(healthy, signal)
    said = healthy
    return known
  }
  return {
    ...every,
    register: async (healthy, signal) => {
      await calls.register({ ...attributesOf(instance), AWS_INIT_HEALTH_STATUS: healthy ? 'HEALTHY' : 'UNHEALTHY' }, signal)
      // One that was there before keeps the health that it had.
      await mark(healthy, signal)
    },
    renew: (healthy, signal) => said === healthy ? calls.has(signal) : mark(healthy, signal),
    deregister: (signal) => calls.deregister(signal),
  }
}

const withoutHealth = (calls: Calls, instance: Instance, every: Pick<Registration, 'every' | 'propagation'>): Registration => listing({
  ...every,
  register: (signal) => calls.register(attributesOf(instance), signal),
  renew: (signal) => calls.has(signal),
  deregister: (signal) => calls.deregister(signal),
})

/**
 * An instance in AWS Cloud Map. Cloud Map has no leases: an instance that dies without leaving stays until somebody deregisters it.
 * Needs `@aws-sdk/client-servicediscovery`.
 */
export const cloudMap = kind('cloud-map', cloudMapConfig, (config, { clock }): Registrar => (instance) => {
  const calls = new Calls(config, clock, instance.id)
  // The registry cloud-map looks every 5 s, and Cloud Map itself takes some seconds to tell of a change.
  const every = { every: config.interval, propagation: 15_000 }
  return config.customHealth ? withHealth(calls, instance, every) : withoutHealth(calls, instance, every)
})
