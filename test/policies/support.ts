import { Attempt, Call, type CallPolicy, type ClusterHandle } from '../../src/core/call.ts'
import { Endpoint, type Load } from '../../src/core/endpoint.ts'
import type { MeshError } from '../../src/core/errors.ts'
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
}

/** A body that can be had once, or again and again. */
export const bodyThat = (replayable: boolean): RequestBody => ({ replayable, open: () => 'body', release: () => {} })

export const callFor = (clock: Clock, cluster: ClusterHandle, { method = 'GET', path = '/', headers = [], body, policy }: Asked = {}): Call => {
  const call = new Call(new RequestHead({ method, scheme: 'http', host: 'order.local', port: 80, path, headers, body }), clock, policy)
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

/** A cluster of endpoints used in turn; lets a kept reply go once the next attempt has its endpoint, as a cluster must. */
export const clusterOf = (
  upstream: Send<Attempt>,
  options: { budget?: ClusterHandle['budget']; endpoints?: number; layer?: Layer<Attempt>; refuse?: (call: Call) => MeshError | undefined } = {},
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

/** What a promise has come to by now; `undefined` while it is open. */
export const watch = <T>(promise: Promise<T>): { value?: T; error?: any; done: boolean } => {
  const seen: { value?: T; error?: any; done: boolean } = { done: false }
  promise.then((value) => { seen.value = value; seen.done = true }, (error: unknown) => { seen.error = error; seen.done = true })
  return seen
}
