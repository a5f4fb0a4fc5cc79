import type { Ask, Balancer } from '../balancers/balancer.ts'
import { Call, type Attempt } from '../core/call.ts'
import type { Endpoint } from '../core/endpoint.ts'
import { RequestHead } from '../core/request.ts'
import type { Send } from '../core/send.ts'
import type { Cancel, Clock } from '../runtime/clock.ts'

const headers = ['user-agent', 'enmesh-load-probe', 'accept', '*/*']

/**
 * Asks endpoints for a balancer: over their own pools, so that connections are kept and certificates verified as for calls, and below every layer, so that neither
 * limits nor breaker, outlier detection, traces or the load of endpoints know of it.
 */
export class Asking {
  readonly #send: Send<Attempt>
  readonly #host: string | undefined
  readonly #clock: Clock
  readonly #underWay = new Set<Call>()
  #cancel: Cancel = () => {}
  #closed = false

  /** `host` is what is sent as `Host`; the endpoint's own name where it is absent. */
  constructor(send: Send<Attempt>, host: string | undefined, clock: Clock) {
    this.#send = send
    this.#host = host
    this.#clock = clock
  }

  /** Lets a balancer ask, until it is closed. */
  start({ asking }: Balancer): void {
    this.#cancel = asking?.(this.#ask) ?? this.#cancel
  }

  /** Gives up what is under way; nothing is asked from now on. */
  close(): void {
    this.#closed = true
    this.#cancel()
    for (const call of this.#underWay) call.abort(new Error('the balancer is no longer in use'))
  }

  readonly #ask: Ask = async (endpoint, { path, timeout }) => {
    if (this.#closed) throw new Error('the balancer is no longer in use')
    const call = new Call(this.#question(endpoint, path), this.#clock)
    const attempt = call.begin(endpoint, { active: 0, pending: 0 })
    this.#underWay.add(call)
    const cancel = this.#clock.background(timeout, () =>
      call.abort(call.error('ENMESH_ATTEMPT_TIMEOUT', `${endpoint.address} gave no answer to ${call} within ${timeout} ms.`)))
    // With the body, which may be none of those that end.
    attempt.onEnd((_, ending) => {
      cancel()
      this.#underWay.delete(call)
      call.end(ending)
    })
    try {
      const reply = await this.#send(attempt)
      reply.discard()
      return reply
    } catch (error) {
      attempt.end('cancelled')
      throw error
    }
  }

  #question({ address }: Endpoint, path: string): RequestHead {
    const host = this.#host ?? address.replace(/:\d+$/, '')
    return new RequestHead({ method: 'GET', scheme: 'http', host, port: 80, path, headers })
  }
}
