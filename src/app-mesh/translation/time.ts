import type { Duration } from '../document/scalars.ts'

/** Milliseconds of a duration as the API has it; one that says nothing is `undefined`. */
export const milliseconds = (duration: Duration | undefined): number | undefined =>
  duration?.value === undefined ? undefined : duration.unit === 's' ? duration.value * 1_000 : duration.value

/** Milliseconds as one would write them into a configuration. */
export const inWords = (ms: number): string => ms > 0 && ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`

/** Until a request is answered, where a route or a listener does not say. */
export const defaultRequestTimeout = 15_000

/** Longest silence, where a route or a listener does not say. */
export const defaultIdleTimeout = 300_000
