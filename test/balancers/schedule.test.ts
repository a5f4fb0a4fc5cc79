import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Schedule } from '../../src/balancers/schedule.ts'
import { seededRandom } from '../../src/testing/index.ts'

describe('a schedule', () => {
  test('has the earliest deadline at hand, and among equal ones the lower place', () => {
    const schedule = new Schedule(Float64Array.of(3, 1, 2, 1))
    const order: number[] = []
    for (let turn = 0; turn < 6; turn++) {
      order.push(schedule.first)
      schedule.postpone(2)
    }
    assert.deepEqual(order, [1, 3, 2, 0, 1, 3])
  })

  test('is in order whatever is put off by whatever time', () => {
    const random = seededRandom(3)
    const deadlines = Array.from({ length: 57 }, random)
    const schedule = new Schedule(Float64Array.from(deadlines))
    for (let turn = 0; turn < 2_000; turn++) {
      assert.equal(deadlines[schedule.first], Math.min(...deadlines))
      const by = random()
      deadlines[schedule.first]! += by
      schedule.postpone(by)
    }
  })

  test('of one place has always that', () => {
    const schedule = new Schedule(Float64Array.of(5))
    schedule.postpone(1)
    assert.equal(schedule.first, 0)
  })
})
