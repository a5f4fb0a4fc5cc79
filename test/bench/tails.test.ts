import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { sectionOf } from '../../bench/page.ts'
import { arrangementNames, arrangementOf, type ArrangementName } from '../../bench/tails/arrangements.ts'
import { badServer, faultNames, serverCount } from '../../bench/tails/faults.ts'
import { figuresOf, type Figures, type Go } from '../../bench/tails/figures.ts'
import { haproxyConfig } from '../../bench/tails/haproxy.ts'
import { arrivalsOf, meanWork, pathOf } from '../../bench/tails/load.ts'
import { tableOf, tailsSection, type Results } from '../../bench/tails/page.ts'
import { root } from '../docs/samples.ts'

const load = { rate: 500, settling: 1, counting: 9 }

describe('the load', () => {
  const arrivals = arrivalsOf(load, 7)

  test('is the same from the same seed, and another from another', () => {
    assert.deepEqual(arrivalsOf(load, 7), arrivals)
    assert.notDeepEqual(arrivalsOf(load, 8), arrivals)
  })

  test('comes in order, at the rate and with the work asked for, and counts once the first second is over', () => {
    assert.ok(arrivals.length > 4_700 && arrivals.length < 5_300, `${arrivals.length} arrivals`)
    assert.ok(arrivals.every(({ due }, index) => index === 0 || due >= arrivals[index - 1]!.due))
    assert.ok(arrivals.every(({ due, counted }) => counted === due >= 1_000))
    const mean = arrivals.reduce((sum, { work }) => sum + work, 0) / arrivals.length
    assert.ok(Math.abs(mean - meanWork) < meanWork / 20, `${mean} ms of work`)
  })

  test('tells the server in the path what it asks for', () => {
    assert.equal(pathOf({ due: 0, work: 12.3456, counted: true }), '/counted/12.346')
    assert.equal(pathOf({ due: 0, work: 5, counted: false }), '/settling/5.000')
  })
})

/** A go whose calls took 1 to 100 times so many milliseconds. */
const goOf = (ms: number, failed = 0): Go => ({
  findings: {
    took: Array.from({ length: 100 }, (_, index) => (index + 1) * ms),
    calls: { settling: 10, counted: 100 },
    failed: { settling: 1, counted: failed },
    failures: { 503: failed + 1 },
  },
  tally: {
    settling: Array<number>(serverCount).fill(1),
    counted: Array.from({ length: serverCount }, (_, index) => index === badServer ? 2 : 12),
  },
})

describe('the figures', () => {
  test('are of all rounds together, p99 and its ratio of each', () => {
    assert.deepEqual(figuresOf([goOf(2), goOf(6, 3), goOf(2)], [goOf(2), goOf(2), goOf(1)]), {
      calls: 300,
      p50: 130,
      p99: { median: 198, min: 198, max: 594 },
      p999: 600,
      againstWell: { median: 2, min: 1, max: 3 },
      failed: { settling: 3, counted: 3 },
      failures: { 503: 6 },
      bad: 6 * 100 / 330,
      attempts: 1.1,
    } satisfies Figures)
  })

  test('stand in a table with those that could not run, and without those that were not asked for', () => {
    const results = {
      rows: { slow: { 'mesh prequal': figuresOf([goOf(1, 2)], [goOf(1)]) } },
      notRun: { 'HAProxy leastconn': 'there is no haproxy' },
    } as unknown as Results
    const [head, ...lines] = tableOf(results, 'slow')
    assert.deepEqual(lines, [
      ['mesh prequal', '50.0', '99', '100', '1.00', '2 of 100', '1', '1.82', '1.100'],
      ['HAProxy leastconn', 'not run', ...Array<string>(7).fill('–')],
    ])
    assert.ok(lines.every(({ length }) => length === head!.length))
  })
})

test('the proxy knows every server, and how long an attempt may take', () => {
  const text = haproxyConfig('leastconn', 8000, [8001, 8002], 1_500)
  assert.match(text, /bind 127\.0\.0\.1:8000\n/)
  assert.match(text, /balance leastconn\n/)
  assert.match(text, /server s0 127\.0\.0\.1:8001\n {2}server s1 127\.0\.0\.1:8002\n/)
  assert.match(text, /timeout server 1500ms\n/)
})

describe('the run that is kept', () => {
  const read = (file: string): string => readFileSync(join(root, file), 'utf8')
  const results = JSON.parse(read('bench/results/tails.json')) as Results
  const sinkholes = ['instant 503', 'hanging', 'resetting'] as const
  const of = (fault: typeof faultNames[number], name: ArrangementName): Figures => results.rows[fault]![name]!

  test('is what the page shows: `npm run tails -- --save` writes both', () => {
    assert.equal(sectionOf(read('docs/tails.md'), 'tails'), tailsSection(results))
  })

  test('has every arrangement under every fault', () => {
    assert.deepEqual(Object.keys(results.rows), faultNames)
    for (const fault of faultNames) assert.deepEqual(Object.keys(results.rows[fault]!), arrangementNames)
  })

  test('has no call of a mesh that retries fail, whatever ails a server', () => {
    for (const name of arrangementNames.filter((each) => each.startsWith('mesh') && arrangementOf(each).retries)) {
      for (const fault of faultNames) assert.deepEqual(of(fault, name).failures, {}, `${name}, ${fault}`)
    }
  })

  test('has a bad server get less than one call in a hundred from a balancer that learns from failures', () => {
    for (const name of ['mesh prequal', 'mesh prequal, no reports', 'mesh peak-ewma'] as const) {
      for (const fault of sinkholes) assert.ok(of(fault, name).bad < 1, `${name}, ${fault}`)
    }
  })

  test('has the mesh ahead of HAProxy and of both pools where one server is slow, and peak-ewma near the fleet without it', () => {
    const p99 = (name: ArrangementName): number => of('slow', name).p99.median
    for (const name of ['mesh prequal', 'mesh prequal, no reports', 'mesh peak-ewma'] as const) {
      for (const other of ['HAProxy leastconn', 'HAProxy random(2)', 'undici BalancedPool', 'undici RoundRobinPool'] as const) {
        assert.ok(p99(name) < p99(other), `${name}, ${other}`)
      }
    }
    assert.ok(of('slow', 'mesh peak-ewma').againstWell.median <= 1.3)
  })
})
