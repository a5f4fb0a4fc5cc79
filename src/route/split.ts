import type { Call, ClusterHandle } from '../core/call.ts'
import { MeshError, type MeshErrorCode } from '../core/errors.ts'
import { hashOf } from '../core/hash.ts'
import { readPart, type RequestPart } from '../core/request-part.ts'
import type { Reply } from '../core/reply.ts'
import type { Layer, Send } from '../core/send.ts'
import type { Random } from '../runtime/random.ts'
import type { Runtime } from '../runtime/runtime.ts'

/** One side of a split. */
export interface Target {
  readonly cluster: ClusterHandle
  /** Share relative to the other targets; 0 gets nothing. */
  readonly weight: number
}

// A seed of its own, so that the users of one side are spread evenly again by a balancer that hashes the same key.
const seed = 0x73706C74

/** The place of a key in [0, 1): the same in every process and release. */
export const stickyPoint = (key: string): number => hashOf(key, seed) / 2 ** 32

/** The first target whose cumulative share exceeds the point in [0, 1). */
const targetAt = (targets: readonly Target[], total: number, point: number): Target => {
  let share = 0
  for (const target of targets) {
    share += target.weight
    if (point * total < share) return target
  }
  return targets.at(-1)!
}

const totalOf = (targets: readonly Target[]): number => targets.reduce((sum, { weight }) => sum + weight, 0)

const draw = (targets: readonly Target[], random: Random): Target =>
  targets.length === 1 ? targets[0]! : targetAt(targets, totalOf(targets), random())

const refusals: ReadonlySet<MeshErrorCode> = new Set(['ENMESH_NO_ENDPOINT', 'ENMESH_CIRCUIT_OPEN', 'ENMESH_OVERLOADED'])

const isRefusal = (error: unknown): error is MeshError => error instanceof MeshError && refusals.has(error.code)

const mayRedraw = (call: Call, error: unknown): boolean =>
  isRefusal(error) && !call.aborted && call.attempts.every(({ sentAt }) => sentAt === 0)

// A new error, since the one thrown may be shared between calls.
const after = (error: unknown, earlier: unknown): unknown =>
  isRefusal(error) && error.cause === undefined
    ? new MeshError(error.code, error.message, {
        service: error.service, cluster: error.cluster, attempts: error.attempts, cause: earlier,
      })
    : error

const redraw = async (
  call: Call,
  error: unknown,
  targets: readonly Target[],
  random: Random,
  next: Send<Call>,
): Promise<Reply> => {
  if (!mayRedraw(call, error)) throw error
  const others = targets.filter(({ cluster }) => cluster !== call.cluster)
  if (others.length === 0) throw error
  call.cluster = draw(others, random).cluster
  return next(call).catch((later: unknown) => redraw(call, after(later, error), others, random, next))
}

/**
 * Draws a call's cluster by weight, once per call: the first target whose cumulative share exceeds `random() × total`.
 * With `sticky` (or the call's own `hashKey` on a sticky route) the place is a hash of the key in place of chance, so a
 * user stays on a side, also while that side's weight grows; a call without a key is drawn by chance.
 * A cluster that refuses before anything was sent is drawn again among the others, never for a call that sticks.
 * When all refuse, the caller sees the last error, with the one before as its cause where it has none of its own.
 */
export const split = (
  targets: readonly Target[],
  sticky: RequestPart | undefined,
  { random }: Pick<Runtime, 'random'>,
): Layer<Call> => (next) => {
  const live = targets.filter(({ weight }) => weight > 0)
  const total = totalOf(live)
  const [only] = live
  if (only === undefined) throw new TypeError('a split needs a target with a weight above 0')
  if (live.length === 1) {
    return (call) => {
      call.cluster = only.cluster
      return next(call)
    }
  }
  const read = sticky && readPart(sticky)
  return (call) => {
    const key = read && (call.hashKey ?? read(call.request))
    call.cluster = targetAt(live, total, key === undefined ? random() : stickyPoint(key)).cluster
    const reply = next(call)
    return key === undefined ? reply.catch((error: unknown) => redraw(call, error, live, random, next)) : reply
  }
}
