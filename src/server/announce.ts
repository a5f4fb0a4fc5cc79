import type { Server } from 'node:net'
import { z } from 'zod'
import { duration } from '../config/duration.ts'
import { MeshConfigError } from '../core/errors.ts'
import type { AnyKind, Family, FamilyInput, FamilyOutput } from '../core/family.ts'
import { parse } from '../mesh/faults.ts'
import { registrars as builtIn } from '../registrars/index.ts'
import { keep, type Doing, type Keeping } from '../registrars/keep.ts'
import type { Registrar, Registration } from '../registrars/registrar.ts'
import { dialledHost } from '../registries/address.ts'
import type { Cancel } from '../runtime/clock.ts'
import { systemRuntime, type Runtime } from '../runtime/runtime.ts'
import { Doors } from './doors.ts'
import { HealthWatch } from './health.ts'
import { findPlace, type Place } from './place.ts'
import { onSignals } from './signals.ts'

/** The registrars that come with enmesh. */
export type BuiltInRegistrar = typeof builtIn.kinds[number]

/** What an announcement tells that it did; each also on the diagnostics channel `enmesh:<event>`. */
export interface AnnouncementEvents {
  /** The instance was written down, at first or afresh after a loss or a failure. */
  'instance-registered': { readonly service: string, readonly instance: string, readonly address: string }
  /** The registry did not know the instance any more; it is written down again at once. */
  'instance-lost': { readonly service: string, readonly instance: string }
  /** Something could not be done; it is tried again in `retryIn` milliseconds, or given up where that is absent. */
  'registration-failed': {
    readonly service: string, readonly instance: string, readonly doing: Doing, readonly error: unknown, readonly retryIn?: number
  }
  'instance-health': { readonly service: string, readonly instance: string, readonly healthy: boolean }
  /** It begins to leave; `signal` is what made it. */
  'instance-leaving': { readonly service: string, readonly instance: string, readonly signal?: string }
  /** It has left: whether the registry is certain to have heard, and how many connections were cut at the end. */
  'instance-left': { readonly service: string, readonly instance: string, readonly deregistered: boolean, readonly cut: number }
}

/**
 * - `waiting`: the server does not listen yet
 * - `registering`: the registry does not have the instance, or it is not known whether it has
 * - `registered`: it has
 * - `leaving`: it is being taken away, or was, and requests are answered until everybody has heard
 * - `draining`: the last requests are answered, new ones refused
 * - `left`: over
 */
export type AnnouncementState = 'waiting' | 'registering' | 'registered' | 'leaving' | 'draining' | 'left'

/** How an announcement goes, as plain data without secrets. */
export interface AnnouncementStatus {
  readonly service: string
  readonly instance: string
  readonly state: AnnouncementState
  readonly healthy: boolean
  /** Where it says that it can be dialled; absent until that is known. */
  readonly address?: string
  readonly zone?: string
  /** Requests that are not answered whole yet. */
  readonly underWay: number
  /** Times that it was written down. */
  readonly registrations: number
  readonly failures: number
  /** Failures since something last worked; above 0 means that the registry may not have the instance. */
  readonly failuresInARow: number
  /** Message of the latest failure, kept after recovery. */
  readonly lastError?: string
}

/** A service's announcement of one of its instances. */
export interface Announcement {
  /** The instance's own name among those of the service. */
  readonly id: string
  /**
   * Resolves once the instance is registered for the first time. Stays pending if it leaves before.
   * One that is not well counts as registered too, although a registry that cannot say how it is does not list it until it is well.
   */
  readonly registered: Promise<void>
  /** Resolves once it has left: the moment to close what requests needed. Never rejects. */
  readonly left: Promise<void>
  /** Says how the instance is, in place of a `health` function or beside it: it is well if both say so. */
  healthy(healthy: boolean): void
  status(): AnnouncementStatus
  /** Adds a listener; the returned function removes it. */
  on<Event extends keyof AnnouncementEvents>(event: Event, listener: (detail: AnnouncementEvents[Event]) => void): () => void
  /**
   * Leaves: takes the instance away, answers until everybody has heard, each answer ending its connection, then stops listening and ends what is left.
   * Resolves when the server is closed, and never rejects. Several calls are one.
   */
  leave(): Promise<void>
  /** Leaves. */
  [Symbol.asyncDispose](): Promise<void>
}

/** Further options that are no data. */
interface Surroundings<R extends AnyKind<Registrar>> {
  /**
   * Says whether the instance is well; asked every `healthInterval`. One that throws, rejects, or gives no answer in that time says no.
   */
  readonly health?: () => boolean | Promise<boolean>
  /** The registrars that `registry` may name. */
  readonly registrars?: Family<Registrar, R>
  /** Time and chance; what is left out is the machine's own. */
  readonly runtime?: Partial<Runtime>
}

const signalNames = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const

const announcementConfig = <R extends AnyKind<Registrar>>(registrars: Family<Registrar, R>) => z.strictObject({
  service: z.string().min(1).max(255).describe('The name of the service, as its registry has it.'),
  registry: registrars.schema.describe('Where the instance is written down: a `type`, and the options of that type.'),
  id: z.string().regex(/^[\w:.@-]{1,64}$/, 'must have 1 to 64 letters, digits or any of _ : . @ -').optional()
    .describe("The instance's own name among those of the service, from restart to restart; another one at each start by default."),
  address: z.string().refine((text) => dialledHost(text.includes(':') && !text.startsWith('[') ? `[${text}]` : text) !== undefined,
    "is no host: write an IP address or a name, and the port by `port`").optional()
    .describe('The host by which others dial it. By default it is found.'),
  interface: z.string().min(1).optional().describe("The machine's network interface whose address others dial, such as 'eth0'."),
  port: z.int().min(1).max(65_535).optional().describe('The port that others dial; the one that the server listens on by default.'),
  zone: z.string().min(1).optional().describe('The zone that it is in, as metadata `zone`. By default it is found, where there is one.'),
  metadata: z.record(z.string().min(1), z.string()).default({}).describe('What subsets select by.'),
  healthInterval: duration.default(5_000).refine((ms) => ms > 0, 'must be above 0').describe('How often `health` is asked.'),
  signals: z.array(z.enum(signalNames)).default(['SIGTERM']).describe('Signals of the process at which the instance leaves.'),
  giveUp: duration.default(5_000).describe('How long it may take to be taken away before the instance goes without.'),
  propagation: duration.optional().describe('How long it goes on answering after it was taken away, so that everybody hears of it; as `registry` says by default.'),
  drain: duration.default(10_000).describe('How long the last requests may then take before their connections are cut.'),
  linger: duration.default(5_000)
    .describe('How long a process that left at a signal may go on by itself before the signal is sent again, if nobody else listens to it.'),
}).refine(({ address, interface: name }) => address === undefined || name === undefined, { path: ['interface'], error: 'is one of two: write `address` or `interface`' })

/** What `announce` takes: data, and what is none. */
export type AnnounceOptions<R extends AnyKind<Registrar> = BuiltInRegistrar> =
  Omit<z.input<ReturnType<typeof announcementConfig>>, 'registry'> & { readonly registry: FamilyInput<R> } & Surroundings<R>

type Config<R extends AnyKind<Registrar>> = Omit<z.output<ReturnType<typeof announcementConfig>>, 'registry'> & { readonly registry: FamilyOutput<R> }

/**
 * Announces a service's instance while its server listens: registers it where the meshes of its callers look, keeps it there, and at `SIGTERM`, or when told to,
 * leaves without dropping a request. Takes any server of `node:http`, `https` or `http2`, so also Express' `app.listen()`, Fastify's `app.server` and what
 * Hono's `serve()` returns. Returns at once; whether it works is told by `registered`, `status()` and the events.
 * Throws a `MeshConfigError` that names every fault of the options, and a `TypeError` for what is no server.
 */
export const announce = <R extends AnyKind<Registrar> = BuiltInRegistrar>(server: Server, options: AnnounceOptions<R>): Announcement => {
  if (typeof (server as Partial<Server> | undefined)?.address !== 'function' || typeof server.listening !== 'boolean') {
    throw new TypeError("announce() takes a server of Node's as its first argument: app.listen() of Express, app.server of Fastify, serve() of Hono")
  }
  const { health, registrars = builtIn as unknown as Family<Registrar, R>, runtime, ...input } = options
  const { value, faults } = parse(announcementConfig(registrars), input)
  if (value === undefined) throw new MeshConfigError(faults.map(({ path, message }) => ({ path: path === '' ? 'announce' : `announce.${path}`, message })))
  const whole = { ...systemRuntime(), ...runtime }
  return new Announced(server, value, registrars.make(value.registry, whole), whole, health)
}

const idFor = (service: string, { ids }: Runtime): string =>
  `${service.replaceAll(/[^\w.-]/g, '-').slice(0, 48)}-${Math.floor(ids() * 2 ** 48).toString(36).padStart(10, '0')}`

class Announced<R extends AnyKind<Registrar>> implements Announcement {
  readonly id: string
  readonly registered: Promise<void>
  readonly left: Promise<void>
  readonly #server: Server
  readonly #config: Config<R>
  readonly #registrar: Registrar
  readonly #runtime: Runtime
  readonly #doors: Doors
  readonly #health: HealthWatch
  readonly #stopSignals: Cancel
  #place: Place | undefined
  #keeping: Keeping | undefined
  #state: 'waiting' | 'kept' | 'leaving' | 'draining' | 'left' = 'waiting'
  #resolveRegistered: () => void = () => {}
  #resolveLeft: () => void = () => {}
  #leaving: Promise<void> | undefined

  constructor(server: Server, config: Config<R>, registrar: Registrar, runtime: Runtime, health: (() => boolean | Promise<boolean>) | undefined) {
    this.id = config.id ?? idFor(config.service, runtime)
    this.registered = new Promise((resolve) => { this.#resolveRegistered = resolve })
    this.left = new Promise((resolve) => { this.#resolveLeft = resolve })
    this.#server = server
    this.#config = config
    this.#registrar = registrar
    this.#runtime = runtime
    this.#doors = new Doors(server)
    this.#health = new HealthWatch(health, config.healthInterval, runtime.clock, (healthy) => this.#mark(healthy))
    this.#stopSignals = onSignals({
      signals: config.signals, linger: config.linger, clock: runtime.clock, leave: (signal) => this.#leave(signal),
    })
    // Whoever closes the server has answered the last request already.
    server.once('close', this.#onClose)
    if (server.listening) void this.#keep()
    else server.once('listening', this.#onListening)
  }

  readonly #onListening = (): void => { void this.#keep() }
  readonly #onClose = (): void => { void this.leave() }

  async #keep(): Promise<void> {
    this.#state = 'kept'
    await this.#health.start()
    if (this.#leaving) return
    this.#keeping = keep((signal) => this.#find(signal), {
      runtime: this.#runtime,
      healthy: this.#health.healthy,
      onRegistered: () => {
        this.#resolveRegistered()
        this.#publish('instance-registered', { address: this.#place!.address })
      },
      onLost: () => this.#publish('instance-lost', {}),
      onFailure: (error, doing, retryIn) => this.#publish('registration-failed', { doing, error, ...(retryIn !== undefined && { retryIn }) }),
    })
  }

  async #find(signal: AbortSignal): Promise<Registration> {
    const place = await findPlace(this.#server.address(), this.#config, signal, this.#runtime.clock)
    this.#place = place
    const { service, metadata } = this.#config
    return this.#registrar({ ...place, service, id: this.id, metadata: { ...place.metadata, ...metadata } })
  }

  #mark(healthy: boolean): void {
    if (!this.#keeping) return
    this.#publish('instance-health', { healthy })
    this.#keeping.mark(healthy)
  }

  #publish<Event extends keyof AnnouncementEvents>(event: Event, detail: Omit<AnnouncementEvents[Event], 'service' | 'instance'>): void {
    this.#runtime.channels.publish(event, { service: this.#config.service, instance: this.id, ...detail })
  }

  healthy(healthy: boolean): void {
    this.#health.say(healthy)
  }

  on<Event extends keyof AnnouncementEvents>(event: Event, listener: (detail: AnnouncementEvents[Event]) => void): () => void {
    return this.#runtime.channels.on(event, listener as (detail: object) => void)
  }

  status(): AnnouncementStatus {
    const { registered, ...kept } = this.#keeping?.status() ?? { registered: false, registrations: 0, failures: 0, failuresInARow: 0 }
    const zone = this.#config.metadata['zone'] ?? this.#place?.metadata['zone']
    return {
      service: this.#config.service,
      instance: this.id,
      state: this.#state !== 'kept' ? this.#state : registered ? 'registered' : 'registering',
      healthy: this.#health.healthy,
      ...(this.#place && { address: this.#place.address }),
      ...(zone !== undefined && { zone }),
      underWay: this.#doors.underWay,
      ...kept,
    }
  }

  leave(): Promise<void> {
    return this.#leave()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#leave()
  }

  #leave(signal?: string): Promise<void> {
    return this.#leaving ??= this.#goAway(signal)
  }

  async #goAway(signal: string | undefined): Promise<void> {
    const { giveUp, propagation, drain } = this.#config
    const { clock } = this.#runtime
    this.#stop()
    this.#state = 'leaving'
    this.#publish('instance-leaving', { ...(signal !== undefined && { signal }) })
    this.#doors.turnAway()
    const deregistered = await this.#keeping?.leave(giveUp) ?? true
    const usual = this.#keeping?.propagation()
    const wait = usual === undefined || !this.#server.listening ? 0 : propagation ?? usual
    if (wait > 0) await new Promise<void>((resolve) => { clock.after(wait, resolve) })
    this.#state = 'draining'
    const cut = await this.#doors.close(drain, clock)
    this.#state = 'left'
    this.#publish('instance-left', { deregistered, cut })
    this.#resolveLeft()
  }

  #stop(): void {
    this.#stopSignals()
    this.#health.stop()
    this.#server.off('close', this.#onClose).off('listening', this.#onListening)
  }
}
