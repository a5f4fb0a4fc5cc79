import type { RequestListener } from 'node:http'
import { answer, bodyOf, handling } from '../service.ts'

interface Chaos { readonly mode: 'ok' | 'slow' | 'fail'; readonly delay?: number }

/**
 * Lets a demo spoil a service: `PUT /chaos` with `{ "mode": "slow", "delay": 1000 }` makes each answer late by so many
 * milliseconds, `{ "mode": "fail" }` makes each a 503, `{ "mode": "ok" }` ends it. Nothing that a real service should have.
 */
export const chaotic = (listener: RequestListener): RequestListener => {
  let chaos: Chaos = { mode: 'ok' }
  return handling(async (request, response) => {
    if (request.method === 'PUT' && request.url === '/chaos') {
      chaos = await bodyOf<Chaos>(request) ?? chaos
      return answer(response, 200, chaos)
    }
    if (chaos.mode === 'fail') return answer(response, 503, { error: 'chaos' })
    if (chaos.mode === 'slow') setTimeout(() => { listener(request, response) }, chaos.delay ?? 1_000)
    else listener(request, response)
  })
}
