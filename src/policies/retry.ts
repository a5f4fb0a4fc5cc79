import { z } from 'zod'
import { duration } from '../config/duration.ts'
import type { Call, RetryOverride, RetryStop } from '../core/call.ts'
import { MeshError, type MeshErrorCode } from '../core/errors.ts'
import { publish } from '../core/events.ts'
import { grpcStatusOf } from '../core/grpc-status.ts'
import type { Reply } from '../core/reply.ts'
import { retryAfterOf } from '../core/retry-after.ts'
import type { Layer, Send } from '../core/send.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { backoff, backoffConfig } from './backoff.ts'

/** Envoy's retry conditions for gRPC, with the status that each stands for. */
const grpcConditions = {
  'grpc-cancelled': 1, 'grpc-deadline-exceeded': 4, 'grpc-internal': 13, 'grpc-resource-exhausted': 8, 'grpc-unavailable': 14,
} as const

type GrpcCondition = keyof typeof grpcConditions

const grpcNames = Object.keys(grpcConditions) as [GrpcCondition, ...GrpcCondition[]]

const conditionNames = [
  'connect-failure', 'reset', 'refused-stream', 'attempt-timeout', 'gateway-error', 'server-error', '5xx', 'retry-after',
  ...grpcNames,
] as const

const condition = z.union([z.enum(conditionNames), z.number().int().min(400).max(599)], {
  error: `is not a retry condition: write one of ${conditionNames.join(', ')}, or a status from 400 to 599 as a number`,
})

const attempts = z.number().int().min(1).max(100)
const on = z.array(condition)
const method = z.string().regex(/^[A-Z][A-Z-]*$/, 'is not a method in capitals')
const methods = z.union([z.enum(['idempotent', 'any']), z.array(method)], {
  error: "must be 'idempotent', 'any', or a list of methods such as ['GET', 'POST']",
})

/** When and how often a call is tried again. */
export const retryConfig = z.strictObject({
  attempts: attempts.default(3).describe('Attempts at most, the first included; 1 never retries.'),
  on: on.default(['connect-failure', 'refused-stream', 'reset', 503]).describe(
    "What is retried. 'connect-failure': no connection. 'refused-stream': HTTP/2 stream refused before it was processed. " +
    "'reset': connection lost before an answer. 'attempt-timeout': the attempt timeout passed. 'gateway-error': 502, 503, 504. " +
    "'server-error': 500 to 508, 510, 511. '5xx': any 5xx, or no answer at all, failed TLS included. " +
    "'retry-after': any 4xx or 5xx that carries Retry-After. 'grpc-cancelled', 'grpc-deadline-exceeded', 'grpc-internal', " +
    "'grpc-resource-exhausted', 'grpc-unavailable': that grpc-status in the head of an answer, which has it where there is no message. A number: that status. " +
    "'reset', 'gateway-error', 'server-error' and '5xx' include attempt timeouts.",
  ),
  methods: methods.default('idempotent').describe(
    "Which requests are sent again once they may have reached an endpoint: 'idempotent' (by method or Idempotency-Key), " +
    "'any', or a list of methods (Idempotency-Key counts too). What never left is retried whatever its method.",
  ),
  backoff: backoffConfig.prefault({}).describe('Wait between attempts: full jitter.'),
  retryAfter: z.strictObject({
    max: duration.default(10_000)
      .describe('Longest Retry-After that is waited for; a reply that asks for more goes to the caller.'),
  }).prefault({}).describe('How Retry-After of a reply is honoured; its wait comes before the back-off.'),
})

/** Parsed options of retries. */
export type RetryConfig = z.output<typeof retryConfig>

/** What a route says of retries: options, or `false` for none. */
export const retryPolicy = z.union([z.literal(false), retryConfig], {
  error: 'must be false, or options such as { attempts: 3 }',
})

/** What a single call may say of retries, in place of its route. */
export const retryOverride = z.union([
  z.literal(false),
  z.strictObject({
    attempts: attempts.optional().describe('Attempts at most for this call, the first included.'),
    on: on.optional().describe('What is retried for this call.'),
    methods: methods.optional().describe('Which requests may be sent twice; for this call.'),
  }),
])

interface Condition {
  readonly statuses?: readonly number[]
  readonly errors?: readonly MeshErrorCode[]
  readonly refusedStream?: true
  readonly grpcStatus?: number
}

const statuses = (from: number, to: number): readonly number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i)

// ENMESH_TLS is no connect-failure: a wrong certificate is a fault to be seen, not one to be passed over by another try.
const conditions: Readonly<Record<Exclude<typeof conditionNames[number], GrpcCondition>, Condition>> = {
  'connect-failure': { errors: ['ENMESH_CONNECT_FAILED'] },
  'reset': { errors: ['ENMESH_CONNECTION_RESET', 'ENMESH_ATTEMPT_TIMEOUT'] },
  'refused-stream': { refusedStream: true },
  'attempt-timeout': { errors: ['ENMESH_ATTEMPT_TIMEOUT'] },
  'gateway-error': { statuses: [502, 503, 504], errors: ['ENMESH_ATTEMPT_TIMEOUT'] },
  'server-error': { statuses: [...statuses(500, 508), 510, 511], errors: ['ENMESH_ATTEMPT_TIMEOUT'] },
  '5xx': {
    statuses: statuses(500, 599),
    errors: ['ENMESH_CONNECT_FAILED', 'ENMESH_CONNECTION_RESET', 'ENMESH_ATTEMPT_TIMEOUT', 'ENMESH_TLS'],
    refusedStream: true,
  },
  'retry-after': {},
}

/** A policy made ready to be asked. */
interface Rules {
  readonly attempts: number
  readonly statuses: ReadonlySet<number>
  readonly errors: ReadonlySet<MeshErrorCode>
  readonly refusedStream: boolean
  readonly grpcStatuses: ReadonlySet<number>
  readonly retryAfter: boolean
  readonly methods: RetryConfig['methods']
  readonly longestRetryAfter: number
  /** Milliseconds before retry N, 1 for the first. */
  readonly wait: (retry: number) => number
}

const conditionOf = (on: RetryConfig['on'][number]): Condition => {
  if (typeof on === 'number') return { statuses: [on] }
  return on in grpcConditions ? { grpcStatus: grpcConditions[on as GrpcCondition] } : conditions[on as keyof typeof conditions]
}

const rulesOf = (config: RetryConfig, random: Random): Rules => {
  const included = config.on.map(conditionOf)
  return {
    attempts: config.attempts,
    statuses: new Set(included.flatMap(({ statuses = [] }) => statuses)),
    errors: new Set(included.flatMap(({ errors = [] }) => errors)),
    refusedStream: included.some(({ refusedStream }) => refusedStream),
    grpcStatuses: new Set(included.flatMap(({ grpcStatus }) => grpcStatus ?? [])),
    retryAfter: config.on.includes('retry-after'),
    methods: config.methods,
    longestRetryAfter: config.retryAfter.max,
    wait: backoff(config.backoff, random),
  }
}

const overridden = (config: RetryConfig, override: RetryOverride): RetryConfig => ({
  ...config,
  attempts: override.attempts ?? config.attempts,
  on: override.on as RetryConfig['on'] | undefined ?? config.on,
  methods: override.methods as RetryConfig['methods'] | undefined ?? config.methods,
})

/**
 * Tries a call again in its cluster when an attempt failed in a way that the policy names, after a back-off with full
 * jitter. Each retry takes from the cluster's budget, and none begins that could not end its wait before the deadline.
 *
 * A reply worth a retry is kept as `call.reserve` until the next attempt has an endpoint, so a caller always gets
 * the best that is there: when policy stops the retries it is that reply, else the last attempt's error.
 * What the mesh itself refused (open breaker, limits, no endpoint, egress, deadline) is never retried here.
 * Without a config only calls that bring their own policy are retried; every call still earns its part of the budget.
 */
export const retry = (config: RetryConfig | false | undefined, runtime: Runtime): Layer<Call> => {
  const base = config || retryConfig.parse({})
  const ofRoute = config ? rulesOf(config, runtime.random) : undefined
  return (next) => (call) => {
    call.cluster!.budget.deposit(call.startedAt)
    const override = call.policy?.retry
    const rules = override === undefined ? ofRoute : override && rulesOf(overridden(base, override), runtime.random)
    if (!rules) return next(call)
    if (rules.methods !== 'idempotent') call.repeatable = mayRepeat(call, rules.methods)
    const first = settled(next, call)
    // Most need no second look, and pay for no loop that awaits (505 bytes of garbage to 277).
    const goOn = (): Promise<Reply> => tryUntilStopped(call, rules, first, next, runtime)
    return first.then((reply) => isRetriableReply(reply, rules, call.clock) ? goOn() : reply, goOn)
  }
}

/** A layer of the user's own may throw before there is a promise. */
const settled = (next: Send<Call>, call: Call): Promise<Reply> => {
  try {
    return next(call)
  } catch (error) {
    return Promise.reject(error)
  }
}

const tryUntilStopped = async (call: Call, rules: Rules, first: Promise<Reply>, next: Send<Call>, runtime: Runtime): Promise<Reply> => {
  let delay = 0
  for (let sends = 1; ; sends++) {
    let reply: Reply | undefined
    let failure: unknown
    try {
      if (sends > 1) await call.pause(delay)
      reply = await (sends === 1 ? first : next(call))
      if (!isRetriableReply(reply, rules, call.clock)) return reply
    } catch (error) {
      const reserve = call.reserve
      call.reserve = undefined
      if (call.aborted) {
        reserve?.discard()
        throw call.reason
      }
      if (reserve) {
        call.stopped = 'refused'
        return reserve
      }
      if (!isRetriableError(error, rules)) throw error
      failure = error
    }
    delay = delayBeforeRetry(call, rules, sends, reply)
    call.stopped = stopReason(call, rules, sends, reply, delay)
    if (call.stopped) {
      if (reply) return reply
      throw explained(call, failure as MeshError, call.stopped)
    }
    call.reserve = reply
    // What an attempt that was answered early still uploads would be missing from the next one.
    if (hasBegun(call)) call.request.body?.hold()
    call.why = `retry after ${reply ? statusInWords(reply) : (failure as MeshError).code}`
    if (runtime.channels.heard('retry')) publishRetry(call, delay, runtime)
  }
}

const statusInWords = (reply: Reply): string => reply.status < 400 ? `grpc-status ${grpcStatusOf(reply)}` : String(reply.status)

const mayRepeat = (call: Call, methods: 'any' | readonly string[]): boolean =>
  methods === 'any' || methods.includes(call.request.method) || call.request.header('idempotency-key') !== undefined

const isRetriableReply = (reply: Reply, rules: Rules, clock: Clock): boolean => {
  if (rules.grpcStatuses.size > 0 && rules.grpcStatuses.has(grpcStatusOf(reply))) return true
  if (reply.status < 400) return false
  return rules.statuses.has(reply.status) || (rules.retryAfter && retryAfterOf(reply, clock) !== undefined)
}

const isRetriableError = (error: unknown, rules: Rules): boolean =>
  error instanceof MeshError && (rules.errors.has(error.code) || (rules.refusedStream && isRefusedStream(error)))

/** Whether the endpoint turned an HTTP/2 stream away before it processed anything of it (RFC 9113, section 8.7). */
const isRefusedStream = (error: unknown): boolean => {
  const cause = error instanceof MeshError ? error.cause : undefined
  if (!(cause instanceof Error && 'code' in cause)) return false
  return cause.code === 'ERR_HTTP2_STREAM_ERROR' && cause.message.includes('REFUSED_STREAM')
}

const delayBeforeRetry = (call: Call, rules: Rules, retry: number, reply: Reply | undefined): number =>
  rules.wait(retry) + (reply ? retryAfterOf(reply, call.clock) ?? 0 : 0)

/** Why there is no retry, if so. The budget comes last, so nothing is taken out for a retry that is not made. */
const stopReason = (call: Call, rules: Rules, sends: number, reply: Reply | undefined, delay: number): RetryStop | undefined => {
  if (sends >= rules.attempts) return 'attempts'
  if (!call.repeatable && mayHaveArrived(call)) return 'not-repeatable'
  if (call.request.body?.replayable === false && hasBegun(call)) return 'body-not-replayable'
  if (reply && (retryAfterOf(reply, call.clock) ?? 0) > rules.longestRetryAfter) return 'retry-after'
  if (delay >= call.remaining) return 'deadline'
  if (!call.cluster!.budget.withdraw()) return 'budget'
  return undefined
}

/** Whether any attempt may have been processed: it was written to a socket, and not as a stream that was refused. */
const mayHaveArrived = (call: Call): boolean => {
  for (const attempt of call.attempts) if (attempt.sentAt > 0 && !isRefusedStream(attempt.ending)) return true
  return false
}

const hasBegun = (call: Call): boolean => {
  for (const attempt of call.attempts) if (attempt.sentAt > 0) return true
  return false
}

// Only replies stop for `retry-after` and `refused`, and a reply needs no words.
const explanations: Readonly<Partial<Record<RetryStop, string>>> = {
  'attempts': "It was tried as often as 'retry.attempts' allows.",
  'not-repeatable': "It was not tried again, since it may have taken effect: " +
    "if sending it twice is safe, send an Idempotency-Key or widen 'retry.methods'.",
  'body-not-replayable': 'It was not tried again, since its body cannot be read twice: pass it as a string or bytes.',
  'deadline': "It was not tried again, since the wait would not have ended before the deadline: raise 'timeout'.",
  'budget': "It was not tried again, since the cluster's budget for retries is used up: see why so many fail, or raise 'budget'.",
}

/** The same error once more, with the reason why it is the last and the records of all attempts complete. */
const explained = (call: Call, error: MeshError, stop: RetryStop): MeshError =>
  call.error(error.code, `${error.message}${/[.!?]$/.test(error.message) ? '' : '.'} ${explanations[stop] ?? ''}`, error.cause)

const publishRetry = (call: Call, delay: number, runtime: Runtime): void => publish(runtime, 'retry', {
  cluster: call.cluster!.name,
  service: call.service,
  attempt: call.attempts.length + 1,
  reason: call.why,
  delay,
})
