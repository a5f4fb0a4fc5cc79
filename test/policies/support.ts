import { Call, type Attempt, type CallPolicy, type ClusterHandle } from '../../src/core/call.ts'
import { Endpoint, type Load } from '../../src/core/endpoint.ts'
import type { MeshError } from '../../src/core/errors.ts'
import type { Passport } from '../../src/core/passport.ts'
import type { Reply } from '../../src/core/reply.ts'
import { RequestHead, type RequestBody } from '../../src/core/request.ts'
import type { Layer, Send } from '../../src/core/send.ts'
import type { Clock } from '../../src/runtime/clock.ts'

export interface Asked {
  readonly method?: string
  readonly path?: string
  readonly headers?: readonly string[]
  readonly body?: RequestBody
  readonly policy?: CallPolicy
  readonly passport?: Passport
}

/** A body that can be had once, or again and again. */
export const bodyThat = (replayable: boolean): RequestBody => ({ replayable, open: () => 'body', hold: () => {}, release: () => {} })

export const callFor = (clock: Clock, cluster: ClusterHandle, asked: Asked = {}): Call => {
  const { method = 'GET', path = '/', headers = [], body, policy, passport } = asked
  const request = new RequestHead({ method, scheme: 'http', host: 'order.local', port: 80, path, headers, body })
  const call = new Call(request, clock, policy, passport)
  call.service = 'order.local'
  call.cluster = cluster
  return call
}

/** A budget that counts, and refuses once its allowance is spent. */
export const countingBudget = (allowance = Number.POSITIVE_INFINITY) => ({
  deposits: 0,
  withdrawals: 0,
  deposit() { this.deposits++ },
  withdraw() { return this.withdrawals < allowance && ++this.withdrawals > 0 },
})

interface ClusterOptions {
  readonly budget?: ClusterHandle['budget']
  readonly endpoints?: number
  readonly layer?: Layer<Attempt>
  /** The error with which the cluster refuses a try before it has an endpoint. */
  readonly refuse?: (call: Call) => MeshError | undefined
}

/** A cluster of endpoints used in turn; lets a kept reply go once the next attempt has its endpoint, as a cluster must. */
export const clusterOf = (
  upstream: Send<Attempt>,
  options: ClusterOptions = {},
): ClusterHandle & { readonly load: Load; readonly endpoints: readonly Endpoint[] } => {
  const { budget = countingBudget(), endpoints: size = 3, layer, refuse } = options
  const load: Load = { active: 0, pending: 0 }
  const endpoints = Array.from({ length: size }, (_, i) => new Endpoint({ address: `10.0.0.${i + 1}:80` }))
  const sendAttempt = layer?.(upstream) ?? upstream
  let turn = 0
  const send = async (call: Call): Promise<Reply> => {
    const refused = refuse?.(call)
    if (refused) throw refused
    const attempt = call.begin(endpoints[turn++ % size]!, load)
    call.reserve?.discard()
    call.reserve = undefined
    return sendAttempt(attempt)
  }
  return { name: 'order', budget, load, endpoints, send }
}

/** Reads a reply to its end. */
export const textOf = (reply: Reply): Promise<string> => new Promise((resolve, reject) => {
  let text = ''
  reply.pipe({ data: (chunk) => { text += Buffer.from(chunk).toString() }, end: () => resolve(text), error: reject })
})

interface Seen<T> {
  value?: T
  /** Typed as what it should be, so that a test can look into it. */
  error: MeshError
  done: boolean
}

/** What a promise has come to by now; `undefined` while it is open. */
export const watch = <T>(promise: Promise<T>): Seen<T> => {
  const seen: Seen<T> = { done: false, error: undefined as never }
  promise
    .then((value) => { seen.value = value }, (error: unknown) => { seen.error = error as MeshError })
    .finally(() => { seen.done = true })
  return seen
}
