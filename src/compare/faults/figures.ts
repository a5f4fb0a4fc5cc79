import type { Seen, Watched } from '../processes/client-process.ts'
import { quantile } from '../quantiles.ts'
import type { ArrangementKind, FaultRun, Slice } from '../results.ts'

/** When a fault began and ended, in milliseconds from the beginning of the watched load. */
export interface Window {
  readonly from: number
  readonly to: number
}

/** Milliseconds of a slice. */
export const sliceLength = 250

const isOk = ({ answer }: Seen): boolean => answer?.status === 200

/** Who the caller thinks answered, where it was no success. A status is the service's own where an instance says that it answered. */
export const blamedBy = ({ answer, error }: Seen, kind: ArrangementKind): string => {
  if (!answer) return error ?? 'nothing'
  if (answer.servedBy !== undefined) return `service ${answer.status}`
  return `${kind === 'sidecar' ? 'proxy' : 'unknown'} ${answer.status}`
}

/** Whether the caller gets an answer in the service's name that no instance gave. */
export const isMisattributed = ({ answer }: Seen): boolean => answer !== undefined && answer.status !== 200 && answer.servedBy === undefined

const isWrong = ({ at, answer }: Seen, wanted: string | undefined, from: number): boolean =>
  wanted !== undefined && at >= from && answer?.status === 200 && answer.version !== wanted

const p99Of = (seen: readonly Seen[]): number => Math.round(quantile(seen.map(({ took }) => took).toSorted((a, b) => a - b), 0.99) * 100) / 100

/** What happened, slice by slice; a request counts in that in which it was due. */
export const slicesOf = (seen: readonly Seen[], { from }: Pick<Window, 'from'>, wanted?: string): readonly Slice[] => {
  const bySlice = new Map<number, Seen[]>()
  for (const each of seen) {
    const slice = Math.floor(each.at / sliceLength)
    bySlice.set(slice, [...bySlice.get(slice) ?? [], each])
  }
  return [...bySlice].sort(([a], [b]) => a - b).map(([slice, all]) => ({
    at: slice * sliceLength,
    ok: all.filter(isOk).length,
    failed: all.filter((each) => !isOk(each)).length,
    wrongVersion: all.filter((each) => isWrong(each, wanted, from)).length,
    p99: p99Of(all),
  }))
}

/**
 * Milliseconds from the beginning of a fault to the end of the last slice in which something failed, came from the wrong version, or took much longer
 * than before; null where that is the run's last. Slow slices that stand alone don't count: there is always somebody else on the machine.
 */
export const timeToRecover = (slices: readonly Slice[], { from }: Pick<Window, 'from'>, p99Before: number): number | null => {
  const limit = 2 * p99Before + 25
  const after = slices.filter(({ at }) => at + sliceLength > from)
  const isSlow = (index: number): boolean => (after[index]?.p99 ?? 0) > limit
  const isBad = (index: number): boolean => {
    const slice = after[index]
    return slice !== undefined && slice.failed + slice.wrongVersion > 0
  }
  const last = after.findLastIndex((_, index) => isBad(index) || isSlow(index) && (isSlow(index - 1) || isSlow(index + 1) || isBad(index - 1) || isBad(index + 1)))
  if (last === -1) return 0
  return last === after.length - 1 ? null : Math.round(after[last]!.at + sliceLength - from)
}

/** What one run of a fault came to. `reached` are the requests that reached the services. */
export const figuresOf = (
  { seen }: Watched, window: Window, reached: number,
  { arrangement, kind, round, wanted, refusal }: { readonly arrangement: string, readonly kind: ArrangementKind, readonly round: number, readonly wanted?: string, readonly refusal?: string },
): FaultRun => {
  const slices = slicesOf(seen, window, wanted)
  const failures = seen.filter((each) => !isOk(each))
  const blamed: Record<string, number> = {}
  for (const each of failures) {
    const who = blamedBy(each, kind)
    blamed[who] = (blamed[who] ?? 0) + 1
  }
  const between = (from: number, to: number): readonly Seen[] => seen.filter(({ at }) => at >= from && at < to)
  const before = p99Of(between(0, window.from))
  return {
    arrangement, round, requests: seen.length, failed: failures.length,
    wrongVersion: seen.filter((each) => isWrong(each, wanted, window.from)).length,
    attemptsPerRequest: seen.length === 0 ? 0 : Math.round(reached * 1_000 / seen.length) / 1_000,
    p99: { before, during: p99Of(between(window.from, window.to)), after: p99Of(between(window.to, Infinity)) },
    timeToRecover: timeToRecover(slices, window, before),
    blamed, misattributed: failures.filter(isMisattributed).length, slices,
    ...(refusal !== undefined && { refusal }),
  }
}
