import type { Sample } from './load.ts'

/** A request that got all it asked for. */
export const succeeded = ({ status, because }: Sample): boolean => status >= 200 && status < 300 && because === undefined

/** The value below which so many percent lie; 0 of nothing. */
export const percentile = (values: readonly number[], percent: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * percent / 100))] ?? 0
}

/** How many of the priced requests a version of pricing served. */
export const served = (samples: readonly Sample[], version: string): number =>
  samples.filter((sample) => sample.version === version && succeeded(sample)).length

/** Percent of the priced requests that a version of pricing served. */
export const share = (samples: readonly Sample[], version: string): number =>
  100 * served(samples, version) / Math.max(1, samples.filter(succeeded).length)

/** Five standard deviations, in percentage points, of a share drawn so many times: chance exceeds them a few times in a million runs. */
export const tolerance = (expected: number, draws: number): number =>
  5 * Math.sqrt(expected * (100 - expected) / Math.max(1, draws))

/** Counts of why requests did not get all they asked for. */
export const reasons = (samples: readonly Sample[]): string => {
  const counts = new Map<string, number>()
  for (const { because, status } of samples) {
    const reason = because ?? `HTTP ${status}`
    counts.set(reason, (counts.get(reason) ?? 0) + 1)
  }
  return [...counts].map(([reason, count]) => `${count} × ${reason}`).join(', ')
}
