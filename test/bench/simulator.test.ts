import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { algorithms } from '../../bench/simulator/algorithms.ts'
import { exponential, fixed } from '../../bench/simulator/chance.ts'
import { VirtualClock } from '../../bench/simulator/clock.ts'
import { Sample, type Figures } from '../../bench/simulator/measure.ts'
import { scenarios, type Scenario } from '../../bench/simulator/scenarios.ts'
import { ModelServer, type Outcome } from '../../bench/simulator/server.ts'
import { over, tableOf } from '../../bench/simulator/page.ts'
import { Players } from '../../bench/simulator/players.ts'
import { play, study } from '../../bench/simulator/study.ts'
import { seededRandom } from '../../src/testing/random.ts'

const algorithm = (name: string) => algorithms.find((one) => one.name === name)!
const prequal = algorithm('prequal')

describe('the virtual clock', () => {
  test('runs what falls due in order, with what it settles in between, and nothing that was cancelled', async () => {
    const clock = new VirtualClock()
    const ran: string[] = []
    const run = (name: string) => () => {
      ran.push(`${name} at ${clock.now()}`)
      void Promise.resolve().then(() => Promise.resolve()).then(() => { ran.push(`after ${name}`) })
    }
    clock.after(20, run('b'))
    clock.after(10, run('a'))
    const cancel = clock.after(15, run('never'))
    clock.after(20, run('c'))
    clock.after(5, cancel)
    clock.after(31, run('later'))
    await clock.run(1_030)
    assert.deepEqual(ran, ['a at 1010', 'after a', 'b at 1020', 'after b', 'c at 1020', 'after c'])
    assert.equal(clock.now(), 1_030)
    assert.equal(clock.pending, 1)
  })

  test('takes any timer out of thousands', async () => {
    const clock = new VirtualClock()
    const random = seededRandom(3)
    const due: number[] = []
    const cancels = Array.from({ length: 3_000 }, () => {
      const ms = Math.floor(random() * 1_000)
      return clock.after(ms, () => { due.push(clock.now()) })
    })
    for (const cancel of cancels.filter((_, index) => index % 3 > 0)) cancel()
    await clock.run(2_000)
    assert.equal(due.length, 1_000)
    assert.deepEqual(due, [...due].sort((a, b) => a - b))
  })
})

describe('a modelled server', () => {
  const make = (cores: number, ms = 10) => {
    const clock = new VirtualClock()
    const server = new ModelServer('10.0.0.1:80', { cores, work: fixed(ms) }, clock, seededRandom(1))
    const outcomes: string[] = []
    const take = () => server.take((outcome: Outcome) => {
      outcomes.push(`${typeof outcome === 'string' ? outcome : outcome.status} at ${Math.round(clock.now() - 1_000)}`)
    })
    return { clock, server, outcomes, take }
  }

  test('gives each request a core while there are enough, and shares them evenly when there are not', async () => {
    for (const [requests, end] of [[1, 10], [2, 10], [4, 20], [8, 40]] as const) {
      const { clock, take, outcomes } = make(2)
      for (let number = 0; number < requests; number++) take()
      await clock.run(2_000)
      assert.deepEqual(outcomes, Array(requests).fill(`200 at ${end}`))
    }
  })

  test('a change of speed counts from then on', async () => {
    const { clock, server, take, outcomes } = make(1)
    take()
    clock.after(5, () => { server.speed = 0 })
    clock.after(25, () => { server.speed = 0.5 })
    await clock.run(2_000)
    assert.deepEqual(outcomes, ['200 at 35'])
    assert.equal(server.worked, 10)
  })

  test('what is given up leaves its core to the others', async () => {
    const { clock, take, outcomes } = make(1)
    take()
    const cancel = take()
    clock.after(10, cancel)
    await clock.run(2_000)
    assert.deepEqual(outcomes, ['200 at 15'])
  })

  test('one that stops breaks off what is under way, and refuses what comes', async () => {
    const { clock, server, take, outcomes } = make(1)
    take()
    clock.after(5, () => {
      server.stop()
      take()
    })
    await clock.run(2_000)
    assert.deepEqual(outcomes, ['reset at 5', 'refuse at 5'])
    assert.equal(server.active, 0)
  })
})

test('percentiles are those of the nearest rank', () => {
  const sample = new Sample()
  assert.equal(sample.percentile(0.5), 0)
  for (let value = 2_000; value > 0; value--) sample.add(value)
  assert.deepEqual([0, 0.5, 0.99, 0.999, 1].map((share) => sample.percentile(share)), [1, 1_000, 1_980, 1_998, 2_000])
  sample.add(5_000)
  assert.equal(sample.percentile(1), 5_000)
})

/** Three servers and what befalls them, for two seconds. */
const short: Scenario = {
  name: 'short',
  text: '',
  phases: [{ name: '', from: 0.5, to: 2 }],
  async prepare(world) {
    const servers = Array.from({ length: 3 }, () => world.addServer({ cores: 2, work: exponential(10) }))
    world.publish(servers)
    await world.addClients(3)
    world.at(1, () => { servers[0]!.fault = { status: 503 } })
    world.at(1.2, () => servers[1]!.stop())
    return { rate: () => 200, watched: servers.slice(0, 1) }
  },
}

test('the same seed gives the same figures, and another seed others', async () => {
  for (const one of algorithms) {
    const first = await play(short, one, 7)
    assert.deepEqual(await play(short, one, 7), first, one.name)
    assert.notDeepEqual(await play(short, one, 8), first, one.name)
  }
})

test('every algorithm gets the same calls', async () => {
  const calls = new Set<number>()
  for (const one of algorithms) calls.add((await play(short, one, 7))[0]!.calls)
  assert.equal(calls.size, 1)
})

/** Two seconds of a scenario, from `from` on. */
const part = (name: string, from: number, seconds = 2): Scenario => ({
  ...scenarios.find((scenario) => scenario.name === name)!,
  phases: [{ name: '', from, to: from + seconds }],
})

const learning = ['peak-ewma', 'prequal', 'prequal without reports'] as const

for (const name of ['instant 503', 'instant 429']) {
  test(`${name}: the bad one of ten gets less than 1 % from the first second on, and no call fails`, async () => {
    for (const one of learning) {
      const [figures] = await play(part(name, 4), algorithm(one), 1)
      assert.ok(figures!.calls > 3_000)
      assert.ok(figures!.watched < 1, `${one}: ${figures!.watched} %`)
      assert.equal(figures!.failed, 0, one)
    }
  })
}

test('one of ten ten times slower: p99 is within 1.3 times that of the fleet without it', async () => {
  const slow = scenarios.find((scenario) => scenario.name === 'one slow')!
  const without: Scenario = {
    ...slow,
    async prepare(world) {
      const prepared = await slow.prepare(world)
      world.publish(world.servers.slice(1))
      return { rate: prepared.rate }
    },
  }
  const phases = [{ name: '', from: 2, to: 7 }]
  for (const one of [...learning, 'prequal with probes']) {
    const [healthy] = await play({ ...without, phases }, algorithm(one), 1)
    const [figures] = await play({ ...slow, phases }, algorithm(one), 1)
    assert.ok(figures!.p99 <= 1.3 * healthy!.p99, `${one}: ${figures!.p99} ms against ${healthy!.p99} ms`)
  }
})

test('the same with few calls, where all others may be busy at once', async () => {
  const phases = [{ name: '', from: 2, to: 12 }]
  const of = async (name: string, one: string): Promise<number> =>
    (await play({ ...scenarios.find((scenario) => scenario.name === name)!, phases }, algorithm(one), 1))[0]!.p99
  for (const one of ['prequal', 'prequal without reports', 'prequal with probes']) {
    const [well, slow] = [await of('few calls', one), await of('one slow, few calls', one)]
    assert.ok(slow <= 1.3 * well, `${one}: ${slow} ms against ${well} ms`)
  }
})

test('a study has each seed of each algorithm in its order, and its table the median with the range where it shows', async () => {
  const told: string[] = []
  const figures = (p50: number): Figures => ({ calls: 10, failed: 0, p50, p99: 20, p999: 30, retries: 0, imbalance: 1, rif: 2, watched: 0, probes: 0, ejected: 0, sockets: 5 })
  const result = await study({ ...short, algorithms: algorithms.slice(0, 2) }, [3, 4, 5], async (_, { name }, seed) => {
    told.push(`${name} ${seed}`)
    return [figures(name === 'random' ? 10 : seed)]
  })
  assert.deepEqual(told.toSorted(), ['random 3', 'random 4', 'random 5', 'round-robin 3', 'round-robin 4', 'round-robin 5'])
  assert.deepEqual(over(result.rows['round-robin']![0]!, ({ p50 }) => p50), { median: 4, min: 3, max: 5 })
  assert.deepEqual(tableOf(result), [
    ['algorithm', 'p50', 'p99', 'p99.9', 'failed %', 'retried %', 'imbalance', 'in flight p99', 'sockets'],
    ['round-robin', '4.0 (3.0–5.0)', '20.0', '30.0', '0', '0', '1.00', '2', '5'],
    ['random', '10.0', '20.0', '30.0', '0', '0', '1.00', '2', '5'],
  ])
  const fewer = await study({ ...short, seeds: 2, algorithms: algorithms.slice(0, 1) }, [3, 4, 5], async () => [figures(1)])
  assert.equal(fewer.rows['round-robin']![0]!.length, 2)
})

test('threads find what one finds, and an error in one of them is heard', async () => {
  const scenario = scenarios.find(({ name }) => name === 'few calls')!
  const players = new Players(2)
  try {
    const [one, two] = await Promise.all([players.play(scenario, prequal, 1), players.play(scenario, prequal, 2)])
    assert.deepEqual(one, await play(scenario, prequal, 1))
    assert.notDeepEqual(one, two)
    await assert.rejects(players.play({ ...scenario, name: 'no such' }, prequal, 1))
  } finally {
    await players.close()
  }
})

test('a probe tells the load and is no part of it; where a server stands still it waits, and at a fault it fails as a call does', async () => {
  const clock = new VirtualClock()
  const server = new ModelServer('10.0.0.1:80', { cores: 1, work: fixed(10) }, clock, seededRandom(1))
  const found: string[] = []
  const probe = () => server.probe((outcome) => { found.push(`${typeof outcome === 'string' ? outcome : outcome.status} at ${clock.now() - 1_000}`) })
  probe()
  assert.equal(server.active, 0)
  clock.after(1, () => { server.speed = 0 })
  clock.after(2, probe)
  clock.after(5, () => { server.speed = 1 })
  clock.after(8, () => server.stop())
  clock.after(9, probe)
  await clock.run(2_000)
  assert.deepEqual(found.map((one) => one.replace(/(\.\d)\d+/, '$1')), ['200 at 0.2', '200 at 5.2', 'refuse at 9.2'])
  assert.deepEqual([server.probed, server.arrived], [3, 0])
})

test('at 1.2 times of what is allotted, prequal has less than half of the p99.9 of round-robin and of weights by report', async () => {
  const antagonists = scenarios.find(({ name }) => name === 'antagonists')!
  const loaded: Scenario = {
    ...antagonists,
    phases: [{ name: '', from: 2, to: 6 }],
    prepare: async (world) => ({ ...await antagonists.prepare(world), rate: () => 1.2 * 2_500 }),
  }
  const of = async (name: string): Promise<Figures> => (await play(loaded, algorithm(name), 1))[0]!
  const best = await of('prequal')
  for (const name of ['round-robin', 'orca-wrr']) {
    const other = await of(name)
    assert.ok(2 * best.p999 <= other.p999, `${best.p999} ms against ${other.p999} ms of ${name}`)
  }
  assert.equal((await play(loaded, prequal, 1))[0]!.failed, 0)
})
