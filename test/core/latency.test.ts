import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Latency } from '../../src/core/latency.ts'

const near = (actual: number, expected: number): void => assert.ok(Math.abs(actual - expected) < 1e-9, `${actual}, not ${expected}`)

describe("latency by Finagle's Peak EWMA", () => {
  test('a slower answer counts at once', () => {
    const latency = new Latency()
    latency.observe(10, 1_000)
    assert.equal(latency.at(1_000), 10)
    latency.observe(200, 1_001)
    assert.equal(latency.at(1_001), 200)
  })

  test('a faster one weighs 1 - e^(-dt / tau), the old evidence e^(-dt / tau)', () => {
    for (const passed of [0, 1_000, 10_000, 30_000]) {
      const latency = new Latency()
      latency.observe(100, 0)
      latency.observe(10, passed)
      const old = Math.exp(-passed / 10_000)
      near(latency.at(passed), 10 * (1 - old) + 100 * old)
    }
  })

  test('while nothing is heard it fades: to 36.8 % after tau of 10 s', () => {
    const latency = new Latency()
    latency.observe(100, 0)
    near(latency.at(10_000), 100 / Math.E)
    near(latency.at(20_000), 100 / Math.E ** 2)
  })

  test('nothing heard is 0', () => assert.equal(new Latency().at(5_000), 0))
})
