import { algorithms, apertures, zoneAware, type Algorithm } from './algorithms.ts'
import { cutNormal, exponential, logNormal } from './chance.ts'
import type { Phase, Policies, World } from './world.ts'
import type { Fault, ModelServer } from './server.ts'

/** A story that every algorithm goes through. */
export interface Scenario {
  readonly name: string
  /** What happens, for the page. */
  readonly text: string
  readonly phases: readonly Phase[]
  readonly policies?: Policies
  /** What the story is told with; all of `algorithms` by default. */
  readonly algorithms?: readonly Algorithm[]
  /** From how many of the seeds it is told at most; from all by default. */
  readonly seeds?: number
  /** Sets the world up. Calls per second, by seconds since the start, and the servers whose share is of interest. */
  prepare(world: World): Promise<{ readonly rate: (seconds: number) => number, readonly watched?: readonly ModelServer[] }>
}

const steady = (rate: number) => (): number => rate

/** Ten servers of four cores with 10 ms of work to a request, twenty clients: together 4 000 requests per second at most. */
const small = { clients: 20, servers: 10, cores: 4, work: logNormal(10, 0.5) }
const capacity = small.servers * small.cores * 100

const fleet = async (world: World, { clients, servers, cores, work } = small): Promise<ModelServer[]> => {
  const made = Array.from({ length: servers }, () => world.addServer({ cores, work }))
  world.publish(made)
  await world.addClients(clients)
  return made
}

const measured = (from: number, to: number, name = ''): readonly Phase[] => [{ name, from, to }]

const equal: Scenario = {
  name: 'equal servers',
  text: 'Ten equal servers at 70 % of what they can do.',
  phases: measured(2, 17),
  async prepare(world) {
    await fleet(world)
    return { rate: steady(capacity * 0.7) }
  },
}

const noisy: Scenario = {
  name: 'noise',
  text: 'Ten servers at 60 %. Each stands still for 20 to 80 ms about every four seconds (garbage collection), and loses half of its speed for a second about every twenty (a neighbour). A few requests take very long (log-normal, sigma 1.2).',
  phases: measured(2, 17),
  async prepare(world) {
    for (const server of await fleet(world, { ...small, work: logNormal(10, 1.2) })) {
      world.every(() => 4_000 * (0.5 + world.random()), () => halt(world, server, 0, 20 + 60 * world.random()))
      world.every(() => 20_000 * (0.5 + world.random()), () => halt(world, server, 0.5, 1_000))
    }
    return { rate: steady(capacity * 0.6) }
  },
}

const halt = (world: World, server: ModelServer, speed: number, ms: number): void => {
  server.speed = speed
  world.clock.after(ms, () => { server.speed = 1 })
}

const slow: Scenario = {
  name: 'one slow',
  text: 'Ten servers at half of what they can do; one of them works ten times slower from the beginning.',
  phases: measured(2, 17),
  async prepare(world) {
    const servers = await fleet(world)
    servers[0]!.speed = 0.1
    return { rate: steady(capacity * 0.5), watched: servers.slice(0, 1) }
  },
}

const withLatencyRule = (scenario: Scenario, phases: readonly Phase[], text: string): Scenario => ({
  ...scenario,
  name: `${scenario.name}, latency rule`,
  text,
  phases,
  policies: { cluster: { outlier: { latency: {} } } },
  algorithms: algorithms.filter(({ name }) => ['round-robin', 'least-request', 'peak-ewma', 'prequal', 'prequal without reports'].includes(name)),
})

const fewCalls = (name: string, text: string, slowness: number): Scenario => ({
  name,
  text,
  phases: measured(2, 22),
  async prepare(world) {
    const servers = await fleet(world, { clients: 1, servers: 10, cores: 2, work: logNormal(30, 0.5) })
    servers[0]!.speed = 1 / slowness
    return { rate: steady(300), watched: slowness > 1 ? servers.slice(0, 1) : [] }
  },
})

const sinkhole = (name: string, text: string, fault: Fault, retry?: object): Scenario => ({
  name,
  text: `Ten servers at half of what they can do; from the third second on, one of them ${text}. Measured from the fourth.`,
  phases: measured(4, 19),
  ...(retry && { policies: { route: { retry } } }),
  async prepare(world) {
    const servers = await fleet(world)
    world.at(3, () => { servers[0]!.fault = fault })
    return { rate: steady(capacity * 0.5), watched: servers.slice(0, 1) }
  },
})

const mixed: Scenario = {
  name: 'unequal capacity',
  text: 'Ten servers that the registry gives equal weights: five of four cores, three of two, two of one, at 70 % of what they can do together.',
  phases: measured(15, 30),
  async prepare(world) {
    const cores = [4, 4, 4, 4, 4, 2, 2, 2, 1, 1]
    world.publish(cores.map((each) => world.addServer({ cores: each, work: small.work })))
    await world.addClients(small.clients)
    return { rate: steady(0.7 * 28 * 100) }
  },
}

const steps = [0.75, 0.93, 1.03, 1.2, 1.41, 1.74]
const stepLength = 6

/**
 * A testbed like that of the Prequal paper (section 5): a hundred servers, each allotted a tenth of a machine, on machines whose other
 * tenants take more or less of the rest and change their minds. While they leave some, a server may use it; on a full machine it has what it was allotted.
 */
const antagonists: Scenario = {
  name: 'antagonists',
  text: 'After the testbed of the Prequal paper: 100 servers, each allotted 2 cores of a machine of 20, whose other tenants leave it nothing more (a fifth of them) or up to 4 cores more, and change that every few seconds. '
    + '50 clients, normally distributed work of 80 ms (deviation as large as the mean, cut off at 0), deadline 5 s. The load rises in steps from 0.75 to 1.74 of what is allotted.',
  policies: { route: { timeout: '5s' } },
  phases: steps.map((step, index) => ({ name: `${step} ×`, from: 2 + index * stepLength + 1, to: 2 + (index + 1) * stepLength })),
  async prepare(world) {
    const servers = Array.from({ length: 100 }, () => world.addServer({ cores: 2, work: cutNormal(80) }))
    for (const server of servers) {
      const settle = (): void => { server.cores = world.random() < 0.2 ? 2 : 2 + 4 * world.random() }
      settle()
      world.every(() => 6_000 * exponential(1)(world.random), settle)
    }
    world.publish(servers)
    await world.addClients(50)
    const allotted = 100 * 2 * 1_000 / 80
    return { rate: (seconds) => allotted * steps[Math.max(0, Math.min(steps.length - 1, Math.floor((seconds - 2) / stepLength)))]! }
  },
}

const restart: Scenario = {
  name: 'rolling restart',
  text: 'Ten servers at 60 %, replaced one after another: one stops without a word and refuses connections, the registry lists its successor two seconds later, whose caches are cold (work times five, falling over its first 200 requests).',
  phases: measured(3, 28),
  async prepare(world) {
    const servers = await fleet(world)
    servers.slice().forEach((_, index) => {
      world.at(4 + index * 2.3, () => {
        servers[index]!.stop()
        world.clock.after(2_000, () => {
          servers[index] = cold(world.addServer({ cores: small.cores, work: small.work }))
          world.publish(servers)
        })
      })
    })
    return { rate: steady(capacity * 0.6) }
  },
}

const cold = (server: ModelServer): ModelServer => {
  server.coldness = () => 1 + 4 * Math.max(0, 1 - server.arrived / 200)
  return server
}

const doubling: Scenario = {
  name: 'fleet doubles',
  text: 'Ten servers at 85 %; ten more with cold caches are listed in the fifth second. Measured from then on.',
  phases: measured(5, 15),
  async prepare(world) {
    const servers = await fleet(world)
    world.at(5, () => {
      const more = servers.map(() => cold(world.addServer({ cores: small.cores, work: small.work })))
      world.publish([...servers, ...more])
    })
    return { rate: steady(capacity * 0.85) }
  },
}

const zoneLost: Scenario = {
  name: 'zone lost',
  text: 'Three zones of four servers and eight clients each at 50 %; from the fifth second on, every server of one zone refuses connections, and ten seconds later the registry drops them. Measured from the fifth second on.',
  phases: measured(5, 20),
  algorithms: [...algorithms, zoneAware],
  async prepare(world) {
    const zones = ['a', 'b', 'c']
    const servers = zones.flatMap((zone) => Array.from({ length: 4 }, () => world.addServer({ cores: 4, work: small.work }, zone)))
    world.publish(servers)
    await world.addClients(24, zones)
    world.at(5, () => { for (const server of servers.slice(0, 4)) server.stop() })
    world.at(15, () => world.publish(servers.slice(4)))
    return { rate: steady(12 * 400 * 0.5), watched: servers.slice(0, 4) }
  },
}

const large: Scenario = {
  name: 'thousand by thousand',
  text: 'A thousand clients and a thousand servers of two cores with 100 ms of work to a request, at 70 %; a hundredth of them ten times slower.',
  phases: measured(3, 7),
  // A run takes as long as ten of the others.
  seeds: 2,
  algorithms: [...algorithms.filter(({ name }) => !['round-robin', 'random', 'orca-wrr'].includes(name)), ...apertures],
  async prepare(world) {
    const servers = Array.from({ length: 1_000 }, () => world.addServer({ cores: 2, work: logNormal(100, 0.5) }))
    for (const server of servers.slice(0, 10)) server.speed = 0.1
    world.publish(servers)
    await world.addClients(1_000)
    return { rate: steady(1_000 * 20 * 0.7), watched: servers.slice(0, 10) }
  },
}

const retry429 = { attempts: 3, on: ['connect-failure', 'reset', 503, 429] }

/** In the order of the page. */
export const scenarios: readonly Scenario[] = [
  equal, noisy, slow,
  withLatencyRule(noisy, measured(2, 62), 'The noise, for a minute, with outlier detection by latency switched on (`outlier: { latency: {} }`): all of these servers are well, so whatever is ejected is ejected wrongly.'),
  withLatencyRule(slow, measured(45, 60), 'The slow server, with outlier detection by latency switched on, measured once it has had its time: three intervals of ten seconds and one more.'),
  fewCalls('few calls', 'One client with 300 calls per second to ten servers of two cores, with 30 ms of work to a request: about one request is under way at each server.', 1),
  fewCalls('one slow, few calls', 'The same; one of the ten works ten times slower from the beginning.', 10),
  sinkhole('instant 503', 'answers every request with 503 at once', { status: 503 }),
  sinkhole('instant 429', 'answers every request with 429 and Retry-After: 1 at once (429 is retried)', { status: 429, retryAfter: 1 }, retry429),
  mixed, antagonists, restart, doubling, zoneLost, large,
]
