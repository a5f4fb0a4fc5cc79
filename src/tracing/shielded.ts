import { diag } from '@opentelemetry/api'

const reported = new Set<string>()

/**
 * Runs a piece of the application's telemetry, whose samplers, processors and propagators may throw: that must never cost a call.
 * `undefined` if it threw, which is reported to OpenTelemetry's `diag` once for each `doing`, such as `starting a span`.
 */
export const shielded = <T>(doing: string, task: () => T): T | undefined => {
  try {
    return task()
  } catch (error) {
    if (!reported.has(doing)) {
      reported.add(doing)
      diag.error(`enmesh: ${doing} failed, so it was left out. Look at the SDK's own parts in the stack; this is said once.`, error)
    }
    return undefined
  }
}
