import type { Pace } from '../cases.ts'

/** A load that every way is put under. */
export interface GatewayCase {
  readonly title: string
  readonly path: string
  /** Bytes of the answer's body. */
  readonly bytes: number
  /** Bytes of the request's body; without one it is a GET. */
  readonly sent?: number
  /** Requests under way at once; each on a connection of its own. */
  readonly inFlight: number
  /** Requests per second, however long the answers take; without it each connection sends the next one when it has its answer. */
  readonly rate?: number
  /** Both the load and the service. Paced for what a proxy costs: how often it is woken is the same for all then; eager for what it does at most. */
  readonly pace: Pace
}

/** In the order in which they are measured. */
export const gatewayCases = {
  cost: { title: 'What a GET costs', path: '/small', bytes: 78, inFlight: 64, pace: 'paced' },
  upload: { title: 'What a POST of 4 KiB costs', path: '/taken', bytes: 20, sent: 4_096, inFlight: 64, pace: 'paced' },
  large: { title: 'What an answer of 64 KiB costs', path: '/large', bytes: 65_536, inFlight: 16, pace: 'paced' },
  most: { title: 'How many GETs a second', path: '/many', bytes: 78, inFlight: 32, pace: 'eager' },
  waiting: { title: 'How long a GET takes, 1000 a second', path: '/waiting', bytes: 78, inFlight: 64, rate: 1_000, pace: 'eager' },
} as const satisfies Readonly<Record<string, GatewayCase>>

/** The name of a case. */
export type GatewayCaseName = keyof typeof gatewayCases

/** All of them. */
export const gatewayCaseNames = Object.keys(gatewayCases) as readonly GatewayCaseName[]
