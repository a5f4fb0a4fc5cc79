import { verdict, type Attempt } from '../core/call.ts'
import type { Ending } from '../core/reply.ts'
import type { Layer } from '../core/send.ts'

/**
 * Counts what is under way in the cluster and at the endpoint, and learns the endpoint's latency and failures:
 * what balancers and limits go by. An attempt counts until its body ends, at the latest until its call does.
 * (What waits for a socket is counted by the transport.)
 */
export const trackLoad: Layer<Attempt> = (next) => (attempt) => {
  attempt.load.active++
  attempt.endpoint.active++
  attempt.endpoint.attempts++
  attempt.onEnd(settle)
  return next(attempt)
}

const settle = (attempt: Attempt, ending: Ending): void => {
  const { endpoint, load, startedAt, headAt, endedAt } = attempt
  load.active--
  endpoint.active--
  const outcome = verdict(attempt, ending)
  if (outcome === undefined) return
  const took = (headAt > 0 ? headAt : endedAt) - startedAt
  if (outcome === 'failure') {
    endpoint.failures++
    // To fail fast is not to be fast: a failure may only worsen the average, or a broken endpoint would draw the load.
    if (took <= endpoint.latency.at(endedAt)) return
  }
  endpoint.latency.observe(took, endedAt)
}
