import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { z } from 'zod'
import { intervalRules, LatencyRule, outlierRulesConfig, type Rule } from '../../src/cluster/outlier-rules.ts'
import { Tally } from '../../src/cluster/tally.ts'
import type { Attempt } from '../../src/core/call.ts'
import { Endpoint } from '../../src/core/endpoint.ts'

const off = { successRate: false, failurePercentage: false, latency: false } as const

const rules = (config: z.input<typeof outlierRulesConfig>): readonly Rule[] => intervalRules(outlierRulesConfig.parse({ ...off, ...config }))
const rule = (config: z.input<typeof outlierRulesConfig>): Rule => rules(config)[0]!

const tallyOf = (index: number): Tally => new Tally(new Endpoint({ address: `e${index}` }), true)

/** Endpoints of which so many percent of so many attempts went well. */
const withRates = (rates: readonly number[], total = 100): Tally[] => rates.map((rate, index) => {
  const tally = tallyOf(index)
  for (let i = 0; i < total; i++) tally.answers.count(i >= total * rate / 100)
  return tally
})

/** Endpoints that took so many milliseconds for each of so many answers. */
const taking = (medians: readonly number[], answers = 20): Tally[] => medians.map((ms, index) => {
  const tally = tallyOf(index)
  for (let i = 0; i < answers; i++) tally.latencies!.add(ms)
  return tally
})

const names = (judged: ReturnType<Rule['judge']>): string => judged.map(({ tally }) => tally.endpoint.address).join(' ')

describe('success rate', () => {
  const envoys = rule({ successRate: { gap: 0 } })

  test('of rates 50 and four times 100 the mean is 90 and the threshold 52 (Envoy\'s vector)', () => {
    const judged = envoys.judge(withRates([100, 100, 50, 100, 100]))
    assert.equal(names(judged), 'e2')
    assert.equal(judged[0]!.reason, 'success rate 50 %, below 52 %; the mean of 5 endpoints is 90 %')
    assert.equal(names(envoys.judge(withRates([100, 52, 50, 100, 100]))), '', 'two of five hide one another')
  })

  test('needs five endpoints with a hundred attempts each', () => {
    assert.equal(names(envoys.judge(withRates([50, 100, 100, 100]))), '')
    assert.equal(names(envoys.judge([...withRates([50, 100, 100, 100]), ...withRates([100], 99)])), '')
    assert.equal(names(rule({ successRate: { endpoints: 4, gap: 0, factor: 1 } }).judge(withRates([50, 100, 100, 100]))), 'e0')
    assert.equal(names(rule({ successRate: { volume: 10 } }).judge(withRates([50, 100, 100, 100, 100], 10))), 'e0')
  })

  test('names the worst first', () => {
    const rates = [100, 60, 100, 100, 100, 100, 100, 100, 50, 100, 100, 100]
    assert.equal(names(envoys.judge(withRates(rates))), 'e8 e1')
  })

  test('a fleet that is bad as a whole has no outlier, nor has one that is good', () => {
    for (const rate of [0, 30, 100]) assert.equal(names(envoys.judge(withRates([rate, rate, rate, rate, rate]))), '')
  })

  test('what is a little worse than a flawless fleet is no outlier by default, though Envoy ejects it', () => {
    const rates = [100, 100, 99, 100, 100]
    assert.equal(names(envoys.judge(withRates(rates))), 'e2')
    const ours = rule({ successRate: {} })
    assert.equal(names(ours.judge(withRates(rates))), '')
    assert.equal(names(ours.judge(withRates([100, 100, 87, 100, 100]))), 'e2')
    assert.equal(names(ours.judge(withRates([100, 100, 88, 100, 100]))), '', 'the gap is to the mean, 97.6 here')
  })

  // At most n ÷ (1.9² + 1) can be told from the rest.
  for (const [endpoints, bad, found] of [[5, 1, 1], [5, 2, 0], [9, 1, 1], [9, 2, 0], [10, 2, 2], [14, 3, 3], [13, 3, 0]] as const) {
    test(`finds ${found} of ${bad} bad ones among ${endpoints}`, () => {
      const judged = envoys.judge(withRates(Array.from({ length: endpoints }, (_, i) => i < bad ? 0 : 100)))
      assert.equal(judged.length, found)
    })
  }
})

describe('failure percentage', () => {
  const failing = rule({ failurePercentage: {} })

  test('85 % are enough, 84 are not, however the others fare (Envoy\'s comparison)', () => {
    assert.equal(names(failing.judge(withRates([15, 16, 10, 0, 100]))), 'e3 e2 e0')
    assert.equal(failing.judge(withRates([15, 16, 100, 100, 100]))[0]!.reason, '85 of 100 attempts failed, at 85 % it is ejected')
    assert.equal(names(failing.judge(withRates([0, 0, 0, 0, 0]))), 'e0 e1 e2 e3 e4')
  })

  test('needs five endpoints with fifty attempts each', () => {
    assert.equal(names(failing.judge(withRates([0, 100, 100, 100]))), '')
    assert.equal(names(failing.judge([...withRates([0, 100, 100, 100], 50), ...withRates([100], 49)])), '')
    assert.equal(names(failing.judge(withRates([0, 100, 100, 100, 100], 50))), 'e0')
  })
})

test('with local failures apart, rates are compared of answers and of attempts to get one', () => {
  const both = rules({ localFailures: 5, failurePercentage: { endpoints: 1 } })
  assert.equal(both.length, 2)
  const tally = tallyOf(0)
  for (let i = 0; i < 60; i++) tally.count({ status: 0 } as Attempt, true, true)
  assert.deepEqual(both.map((one) => one.judge([tally]).length), [0, 1])
  assert.equal(rules({ failurePercentage: {} }).length, 1)
})

describe('latency', () => {
  /** What a rule says in each of several intervals; the endpoints stay the same. */
  const over = (latency: object, ...intervals: readonly (readonly number[])[]): string[] => {
    const one = rule({ latency })
    const tallies = intervals[0]!.map((_, index) => tallyOf(index))
    return intervals.map((medians) => {
      for (const [index, tally] of tallies.entries()) {
        tally.beginInterval()
        for (let i = 0; i < 20; i++) if (medians[index]! > 0) tally.latencies!.add(medians[index]!)
      }
      return names(one.judge(tallies))
    })
  }
  const slow = [10, 100, 10, 10]
  const fine = [10, 11, 9, 10]

  test('three intervals in a row make an outlier', () => {
    assert.deepEqual(over({}, slow, slow, slow), ['', '', 'e1'])
    assert.deepEqual(over({}, slow, slow, fine, slow, slow), ['', '', '', '', ''])
    assert.deepEqual(over({ intervals: 1 }, slow), ['e1'])
  })

  test('an interval with too few answers neither counts nor begins the count again', () => {
    assert.deepEqual(over({}, slow, slow, [10, 0, 10, 10], slow), ['', '', '', 'e1'])
  })

  test('it must be three times the fleet\'s median, and 20 ms more', () => {
    const once = { intervals: 1 }
    assert.deepEqual(over(once, [20, 55, 20, 20]), [''])
    assert.deepEqual(over(once, [20, 66, 20, 20]), ['e1'])
    assert.deepEqual(over(once, [1, 18, 1, 1]), [''])
    assert.deepEqual(over(once, [1, 24, 1, 1]), ['e1'])
    assert.deepEqual(over({ intervals: 1, gap: 0 }, [1, 3.6, 1, 1]), ['e1'])
  })

  test('neither a slow fleet nor a slow half of it has an outlier', () => {
    const once = { intervals: 1 }
    assert.deepEqual(over(once, [100, 100, 100, 100], [1000, 1000, 1000, 1000]), ['', ''])
    assert.deepEqual(over(once, [10, 100, 100, 10]), [''])
    assert.deepEqual(over(once, [10, 100, 80, 10, 10]), ['e1 e2'], 'the worst first')
  })

  test('three endpoints are the fewest, and each needs 20 answers', () => {
    assert.deepEqual(over({ intervals: 1 }, [10, 100]), [''])
    assert.deepEqual(over({ intervals: 1 }, [10, 100, 10]), ['e1'])
    const one = rule({ latency: { intervals: 1 } })
    assert.equal(names(one.judge([...taking([100]), ...taking([10, 10], 19)])), '')
  })

  test('what is slow is known for as long as an outlier takes after it was last measured, one endpoint short or not', () => {
    const one = new LatencyRule({ endpoints: 3, volume: 20, factor: 3, gap: 20, intervals: 2 })
    const limits = [[], [10], [10, 10], [], [10], [], [20, 20], [12, 10, 500]].map((medians) => {
      one.judge(taking(medians))
      return Math.round(one.limit)
    })
    assert.deepEqual(limits, [Infinity, Infinity, 30, 30, 30, Infinity, 60, 35])
  })

  test('says in words what is slow', () => {
    const one = rule({ latency: { intervals: 1 } })
    assert.equal(one.judge(taking([10, 100, 10]))[0]!.reason, "median of 103.1 ms until it answers, above 29.9 ms now; the fleet's is 9.9 ms")
  })
})
