import type { Server } from 'node:net'
import { MeshConfigError } from '../core/errors.ts'
import type { AnyKind, Family } from '../core/family.ts'
import { parse } from '../mesh/faults.ts'
import { registrars as builtIn } from '../registrars/index.ts'
import { keep, type Keeping } from '../registrars/keep.ts'
import type { Registrar, Registration } from '../registrars/registrar.ts'
import type { Cancel } from '../runtime/clock.ts'
import { systemRuntime, type Runtime } from '../runtime/runtime.ts'
import { announcementConfig, type AnnouncementConfig, type AnnounceOptions, type BuiltInRegistrar } from './announce-options.ts'
import type { Announcement, AnnouncementEvents, AnnouncementStatus } from './announcement.ts'
import { Doors } from './doors.ts'
import { HealthWatch } from './health.ts'
import { findPlace, type Place } from './place.ts'
import { onSignals } from './signals.ts'

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
  if (health !== undefined && typeof health !== 'function') throw new TypeError('`health` of announce() must be a function that says whether the instance is well')
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
  readonly #config: AnnouncementConfig<R>
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

  constructor(server: Server, config: AnnouncementConfig<R>, registrar: Registrar, runtime: Runtime, health: (() => boolean | Promise<boolean>) | undefined) {
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
    const reason = this.#health.unwell
    this.#publish('instance-health', { healthy, ...(reason !== undefined && { reason }) })
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
      ...(this.#health.unwell !== undefined && { unwell: this.#health.unwell }),
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
