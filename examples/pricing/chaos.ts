import { setTimeout as sleep } from 'node:timers/promises'
import { bodyOf, type Handler } from '../service.ts'

interface Chaos { readonly mode: 'ok' | 'slow' | 'fail'; readonly delay?: number }

/**
 * Lets a demo spoil a service: `PUT /chaos` with `{ "mode": "slow", "delay": 1000 }` makes each answer late by so many
 * milliseconds, `{ "mode": "fail" }` makes each a 503, `{ "mode": "ok" }` ends it. Nothing that a real service should have.
 */
export const chaotic = (handle: Handler): Handler => {
  let chaos: Chaos = { mode: 'ok' }
  return async (request) => {
    if (request.method === 'PUT' && new URL(request.url).pathname === '/chaos') {
      chaos = await bodyOf<Chaos>(request) ?? chaos
      return Response.json(chaos)
    }
    if (chaos.mode === 'fail') return Response.json({ error: 'chaos' }, { status: 503 })
    if (chaos.mode === 'slow') await sleep(chaos.delay ?? 1_000)
    return handle(request)
  }
}
