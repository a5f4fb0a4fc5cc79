import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici'
import { load, story } from '../scenarios/support/story.ts'
import { refused, says } from '../scenarios/support/upstream.ts'
import { collecting, type Series } from './collecting.ts'

const duration = 'http.client.request.duration'

const countBy = (series: readonly Series[]): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const { scope, histogram } of series) counts[scope] = (counts[scope] ?? 0) + (histogram?.count ?? 0)
  return counts
}

test("beside OpenTelemetry's instrumentation of undici each attempt is measured exactly once, whoever measures", async (t) => {
  const { provider, collect } = collecting(t)
  const { mesh: make, upstream } = story(t)
  const good = await upstream(says('ok'))
  const mesh = make({
    services: { 'a.local': { cluster: 'a', retry: { attempts: 3, backoff: { base: 0 } } } },
    clusters: { a: {
      registry: { type: 'static', endpoints: [good.address, refused] }, outlier: false, breaker: false, budget: { percent: 100 },
    } },
  })
  const attemptsOf = async (calls: number): Promise<number> => {
    let attempts = 0
    await load(calls, 4, async () => {
      const response = await mesh.fetch('http://a.local/')
      await response.text()
      attempts += mesh.trail(response)!.attempts.length
    })
    return attempts
  }
  const instrumentation = new UndiciInstrumentation()
  instrumentation.setMeterProvider(provider)
  t.after(() => instrumentation.disable())
  const theirs = await attemptsOf(30)
  assert.ok(theirs > 30, 'none was retried')
  const name = '@opentelemetry/instrumentation-undici'
  assert.deepEqual(countBy(await collect(duration)), { [name]: theirs })
  instrumentation.disable()
  const ours = await attemptsOf(30)
  assert.deepEqual(countBy(await collect(duration)), { [name]: theirs, enmesh: ours })
  instrumentation.enable()
  const again = await attemptsOf(30)
  assert.deepEqual(countBy(await collect(duration)), { [name]: theirs + again, enmesh: ours })
})
