import type { ServiceRoute, Upstream } from './definition.ts'

/** The shorter of two times of which 0 is none. */
export const shorter = (one: number, other: number): number => one === 0 ? other : other === 0 ? one : Math.min(one, other)

/** The times, in milliseconds, that hold for calls of a route to one of its clusters; 0 is none. */
export interface Times {
  readonly deadline: number
  readonly attempt: number
  readonly idle: number
  readonly connect: number
}

/** What holds for calls of a route to a cluster, where both have a say: the shorter time. */
export const timesOf = ({ config }: ServiceRoute, { config: cluster }: Upstream): Times => ({
  deadline: shorter(config.timeout, cluster.timeout),
  attempt: config.attemptTimeout,
  idle: shorter(config.idleTimeout, cluster.idleTimeout),
  connect: shorter(cluster.connectTimeout, config.attemptTimeout),
})

/** Longest wait for the next byte of an answer, in milliseconds, for proxies that have one timer for the head and the body. */
export const silence = ({ attempt, deadline, idle }: Times): number => attempt > 0 ? attempt : shorter(deadline, idle)

/** Attempts that a route makes at most, the first included. */
export const attemptsOf = ({ config: { retry } }: ServiceRoute): number => retry === undefined || retry === false ? 1 : retry.attempts
