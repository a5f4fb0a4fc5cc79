import type { Runtime } from '../runtime/runtime.ts'

/** What takes an endpoint out: a rule, named as its option is, or the request that was to decide on its return. */
export type OutlierRule = 'failures' | 'gatewayFailures' | 'localFailures' | 'successRate' | 'failurePercentage' | 'latency' | 'probation'

/** What the mesh tells that it did; each also on the diagnostics channel `enmesh:<event>`. */
export interface MeshEvents {
  'endpoint-added': { readonly cluster: string; readonly endpoint: string }
  'endpoint-removed': { readonly cluster: string; readonly endpoint: string }
  /** Outlier detection took an endpoint out for `duration` milliseconds. */
  'endpoint-ejected': { readonly cluster: string; readonly endpoint: string; readonly rule: OutlierRule; readonly reason: string; readonly duration: number }
  /** Its time is over: one real request decides. */
  'endpoint-probation': { readonly cluster: string; readonly endpoint: string }
  'endpoint-returned': { readonly cluster: string; readonly endpoint: string }
  /** A health check is over; `reason` says in words what it found, `took` is in milliseconds. */
  'endpoint-checked': { readonly cluster: string; readonly endpoint: string; readonly result: 'passed' | 'failed' | 'unanswered'; readonly reason: string; readonly took: number }
  /** Health checks took an endpoint out, or it asked for that itself, until health checks pass again. */
  'endpoint-unhealthy': { readonly cluster: string; readonly endpoint: string; readonly reason: string }
  /** Enough health checks passed: of a new endpoint the first. */
  'endpoint-healthy': { readonly cluster: string; readonly endpoint: string }
  /** Fewer endpoints are available than the threshold: all are used. */
  'panic-entered': { readonly cluster: string; readonly available: number; readonly total: number }
  'panic-left': { readonly cluster: string; readonly available: number; readonly total: number }
  /** A call will be tried again, as its attempt number `attempt`, in `delay` milliseconds. */
  'retry': { readonly cluster: string; readonly service: string; readonly attempt: number; readonly reason: string; readonly delay: number }
  'breaker-opened': { readonly cluster: string; readonly failures: number; readonly calls: number }
  'breaker-half-opened': { readonly cluster: string }
  'breaker-closed': { readonly cluster: string }
  /** The registry could not tell; the mesh keeps what it has and asks again in `retryIn` milliseconds. */
  'registry-failed': { readonly cluster: string; readonly error: unknown; readonly retryIn: number }
  'registry-recovered': { readonly cluster: string }
  /**
   * The registry's answer lists none, or far fewer endpoints than are in use: it is held for `grace` milliseconds and asked again before it is believed.
   * Told once until an answer is taken again, and once more where some follow upon none.
   */
  'registry-doubted': { readonly cluster: string; readonly listed: number; readonly inUse: number; readonly grace: number }
  /** Renewed files of certificates are in use from here on; `expiresAt` is of the cluster's own certificate, where it has one. */
  'certificate-renewed': { readonly cluster: string; readonly expiresAt?: string }
  /** Files of certificates changed to something that cannot be used: what was read before stays in use. */
  'certificate-failed': { readonly cluster: string; readonly error: unknown }
  /** A certificate in use has not long to go: `expiresIn` milliseconds. `use` says whether it is the cluster's own, or the last authority that it trusts. */
  'certificate-expiring': { readonly cluster: string; readonly use: 'own' | 'authority'; readonly subject: string; readonly expiresAt: string; readonly expiresIn: number }
  'certificate-expired': { readonly cluster: string; readonly use: 'own' | 'authority'; readonly subject: string; readonly expiresAt: string }
  'config-applied': { readonly added: readonly string[]; readonly changed: readonly string[]; readonly removed: readonly string[] }
  'config-rejected': { readonly error: unknown }
}

/** Reports an event with its type checked. */
export const publish = <E extends keyof MeshEvents>(runtime: Runtime, event: E, detail: MeshEvents[E]): void => {
  runtime.channels.publish(event, detail)
}

// Written as a record, so that the compiler misses none.
const known: Readonly<Record<keyof MeshEvents, true>> = {
  'endpoint-added': true,
  'endpoint-removed': true,
  'endpoint-ejected': true,
  'endpoint-probation': true,
  'endpoint-returned': true,
  'endpoint-checked': true,
  'endpoint-unhealthy': true,
  'endpoint-healthy': true,
  'panic-entered': true,
  'panic-left': true,
  'retry': true,
  'breaker-opened': true,
  'breaker-half-opened': true,
  'breaker-closed': true,
  'registry-failed': true,
  'registry-recovered': true,
  'registry-doubted': true,
  'certificate-renewed': true,
  'certificate-failed': true,
  'certificate-expiring': true,
  'certificate-expired': true,
  'config-applied': true,
  'config-rejected': true,
}

/** The names of all events. */
export const knownEvents: readonly string[] = Object.keys(known)
