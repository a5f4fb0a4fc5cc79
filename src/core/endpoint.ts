import { Latency } from './latency.ts'

/** What a registry says of one endpoint. */
export interface EndpointSpec {
  /** `host:port`, or `[v6]:port`. */
  readonly address: string
  /** Where new connections go while the address is a name that the registry has looked up: an IP address. The endpoint stays the same when it changes. */
  readonly ip?: string
  /** The registry's own name for the instance; the address where there is none. */
  readonly id?: string
  /** Relative share of the traffic, above 0 and at most 1 000 000; 1 by default. */
  readonly weight?: number
  /** Whether it is dialled with TLS. */
  readonly tls?: boolean
  readonly metadata?: Readonly<Record<string, string>>
}

/**
 * The later in this list, the stronger: an endpoint has one state, and what is stronger takes the place of what is weaker.
 * - `available`: may be picked
 * - `unchecked`: new, and its first health check is not over; picked only while too few are available
 * - `probation`: one real request decides
 * - `ejected`: taken out by outlier detection
 * - `unhealthy`: taken out by health checks, or at its own request
 * - `retired`: gone from the registry, its bodies end
 */
export type EndpointState = 'available' | 'unchecked' | 'probation' | 'ejected' | 'unhealthy' | 'retired'

/** Counts of one cluster, shared by its endpoints: what is under way and what waits for a socket. */
export interface Load {
  /** Attempts under way, bodies included. */
  active: number
  /** Of those, attempts not yet written to a socket. */
  pending: number
}

/** Connections of one endpoint that were made in the same way, as `transport/` keeps them. */
export interface EndpointConnections {
  /** Takes nothing new; resolves when what is under way has ended and all of them are closed. */
  close(): Promise<void>
  /** Ends them, and what is under way on them. */
  destroy(): Promise<void>
}

const none: Readonly<Record<string, string>> = Object.freeze({})

/** One address:port of a cluster, with all that was learnt of it. Plain fields, since the hot path counts in them. */
export class Endpoint {
  readonly id: string
  readonly address: string
  readonly tls: boolean
  /** Where new connections go in place of asking for the address's name. May change while the endpoint lives. */
  ip: string | undefined
  /** May change while the endpoint lives; pickers read it when they are prepared. */
  weight: number
  /** May change while the endpoint lives. */
  metadata: Readonly<Record<string, string>>

  /** Attempts under way here, bodies included. */
  active = 0
  /** Attempts ever begun here. */
  attempts = 0
  /** Attempts here that failed by the endpoint's fault. */
  failures = 0
  readonly latency = new Latency()

  state: EndpointState = 'available'
  /** Times ejected without a lasting recovery between; the next ejection is that much longer. */
  ejections = 0
  /** When the present state began (clock's now); 0 for one that was never ejected. */
  stateSince = 0
  /** When slow start began (clock's now); `undefined` when it has its full share. */
  warmingSince: number | undefined = undefined

  // Made when first needed: an empty map is the largest part of an endpoint, and most of thousands are never called.
  #pools: Map<string, EndpointConnections> | undefined

  constructor(spec: EndpointSpec) {
    this.id = spec.id ?? spec.address
    this.address = spec.address
    this.ip = spec.ip
    this.weight = spec.weight ?? 1
    this.tls = spec.tls ?? false
    this.metadata = spec.metadata ?? none
  }

  /** Its own connections, made at the first attempt, by the way of dialling. Kept by `transport/`. */
  get pools(): Map<string, EndpointConnections> {
    return this.#pools ??= new Map()
  }

  /** Whether it has any connections of its own. */
  get dialled(): boolean {
    return this.#pools !== undefined && this.#pools.size > 0
  }
}
