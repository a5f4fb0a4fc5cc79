import assert from 'node:assert/strict'
import { test } from 'node:test'
import { failedBy } from '../../src/balancers/answers.ts'
import { balancers } from '../../src/balancers/index.ts'
import type { Reply } from '../../src/core/reply.ts'
import { fakeCall, fakeEndpoints, fakeRuntime, seededRandom } from '../../src/testing/index.ts'
import { learns } from './support.ts'

test('a status of gRPC counts as the status of HTTP that it means', () => {
  const [endpoint] = fakeEndpoints(1)
  const attempt = fakeCall().begin(endpoint!, { active: 0, pending: 0 })
  const failing = Array.from({ length: 18 }, (_, code) => code)
    .filter((code) => failedBy(attempt, { status: 200, headers: { 'grpc-status': String(code) }, attempt } as unknown as Reply))
  assert.deepEqual(failing, [2, 4, 8, 12, 13, 14, 15])
  for (const odd of ['', 'x', '-14', '014', '14, 0']) {
    assert.equal(failedBy(attempt, { status: 200, headers: { 'grpc-status': odd }, attempt } as unknown as Reply), false, odd)
  }
})

for (const type of ['prequal', 'peak-ewma'] as const) {
  test(`of ten endpoints one that is UNAVAILABLE at once draws no load (${type})`, () => {
    const runtime = fakeRuntime(seededRandom(3))
    const balancer = balancers.make(balancers.schema.parse({ type } as never), runtime)
    const endpoints = fakeEndpoints(10)
    const pick = balancer(endpoints)
    let sick = 0
    for (let turn = 0; turn < 2_000; turn++) {
      const picked = pick(fakeCall())!
      const unavailable = picked === endpoints[0] && turn > 100
      learns(balancer, picked, runtime.clock, { status: 200, ms: unavailable ? 0.2 : 20, headers: unavailable ? { 'grpc-status': '14' } : {} })
      if (unavailable) sick++
    }
    assert.ok(sick < 20, `${sick} of 1900`)
  })
}
