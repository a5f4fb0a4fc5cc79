import { percentile, served, share, succeeded, tolerance } from './figures.ts'
import type { Sample } from './load.ts'
import type { ServiceProcess } from './service-process.ts'
import { startAll } from './shop.ts'
import { ms, type Act, type Stage } from './stage.ts'

const claimShare = (stage: Stage, samples: readonly Sample[], expected: number): void => {
  const found = share(samples, '2.0.0')
  const within = tolerance(expected, samples.filter(succeeded).length)
  stage.claim(`2.0.0 gets ${expected} % of the requests, ± ${within.toFixed(1)}`,
    Math.abs(found - expected) <= within, `${found.toFixed(1)} %`)
}

const spoil = async (service: ServiceProcess, chaos: { mode: 'ok' | 'slow' | 'fail', delay?: number }): Promise<void> => {
  await fetch(`http://${service.address}/chaos`, { method: 'PUT', body: JSON.stringify(chaos) })
}

/** Gives the order services new weights, and waits until both have applied them. */
const shift = async (stage: Stage, v1: number, v2: number): Promise<{ asked: number, applied: number }> => {
  const asked = performance.now()
  for (const order of stage.shop.orders) order.send({ 'pricing-v1': v1, 'pricing-v2': v2 })
  await stage.watchUntil(() => stage.seen('config-applied', asked).length === stage.shop.orders.length, 5_000)
  return { asked, applied: performance.now() }
}

const split: Act = {
  title: 'A new version takes a tenth of the traffic',
  about: 'Order splits its calls to pricing by weight: 90 to version 1.0.0, 10 to version 2.0.0.',
  async play(stage) {
    await stage.watch(9_000)
    await stage.report()
    claimShare(stage, stage.samples, 10)
    stage.claimNothingLost()
  },
}

const crash: Act = {
  title: 'An order instance is killed under load, and comes back',
  about: 'What was under way is tried again on the other instance: reads, and orders too, since they carry an Idempotency-Key.',
  async play(stage) {
    const { shop } = stage
    const victim = shop.orders[1]!
    const isVictim = ({ detail }: { detail: { endpoint: string } }): boolean => detail.endpoint === victim.address
    await stage.watch(1_000)
    // So that orders are under way at that very moment, which a steady trickle of them would leave to luck.
    stage.load.placeAtOnce(30)
    await stage.watch(5)
    await victim.kill()
    stage.tell(`${victim.name} is killed (SIGKILL) while 30 orders are being placed`)
    // Its orders and its keys were in its memory: nothing is left of them, so they cannot be there twice.
    const forgotten = new Set(shop.receipts.filter(({ by }) => by === victim.name).map(({ id }) => id))
    await stage.watchUntil(() => stage.seen('endpoint-ejected').some(isVictim), 8_000)
    await stage.watch(1_000)
    await victim.start()
    stage.tell(`${victim.name} listens again`)
    await stage.watchUntil(() => stage.seen('endpoint-returned').some(isVictim), 15_000)
    const returned = performance.now()
    const again = (): number =>
      stage.samples.filter((sample) => sample.order === victim.address && sample.sentAt > returned).length
    await stage.watch(1_500)
    await stage.watchUntil(() => again() > 0, 8_000)
    await stage.report()
    const places = stage.samples.filter(({ kind }) => kind === 'place')
    const confirmed = places.filter(succeeded)
    const repeated = confirmed.filter(({ retries }) => retries > 0).length
    const kept = shop.receipts.filter(({ id }) => !forgotten.has(id))
    const twice = confirmed.filter((order) =>
      kept.some(({ reference, id }) => reference === order.reference && id !== order.id)).length
    stage.claimNothingLost()
    stage.claim(`the gateway ejected ${victim.name}, and took it back after probation`,
      stage.seen('endpoint-ejected').some(isVictim) && stage.seen('endpoint-returned').some(isVictim) && again() > 0,
      `${again()} requests to it since`)
    stage.claim('every order is confirmed once, and none stands in the books under another id', twice === 0 &&
      new Set(confirmed.map(({ id }) => id)).size === places.length,
    `${places.length} sent, ${confirmed.length} confirmed, ${repeated} of them after a retry, ${twice} twice`)
  },
}

const spoiled: Act = {
  title: 'A pricing instance turns slow, then fails, then recovers',
  about: 'An attempt has 1.5 s. Five that fail in a row eject the instance; when its time is over, one real request decides.',
  async play(stage) {
    const { shop } = stage
    const victim = shop.pricingV1[1]!
    /** How many of the two order instances have done that to it since. */
    const by = (event: 'endpoint-ejected' | 'endpoint-returned', since: number): number =>
      new Set(stage.seen(event, since).filter(({ detail }) => detail.endpoint === victim.address).map(({ service }) => service)).size
    await stage.watch(1_000)
    const slow = performance.now()
    await spoil(victim, { mode: 'slow', delay: 4_500 })
    stage.tell(`${victim.name} turns slow: each answer takes 4.5 s`)
    await stage.watchUntil(() => by('endpoint-ejected', slow) === 2, 25_000)
    const first = by('endpoint-ejected', slow)
    const failing = performance.now()
    await spoil(victim, { mode: 'fail' })
    stage.tell(`${victim.name} fails: each answer is a 503`)
    await stage.watchUntil(() => by('endpoint-ejected', failing) === 2, 15_000)
    const second = by('endpoint-ejected', failing)
    const healed = performance.now()
    await spoil(victim, { mode: 'ok' })
    stage.tell(`${victim.name} is well again`)
    await stage.watchUntil(() => by('endpoint-returned', healed) === 2, 20_000)
    await stage.watch(500)
    await stage.report()
    const returned = by('endpoint-returned', healed)
    stage.claimNothingLost()
    stage.claim('both order instances ejected it while it was slow, and did not take it back while it failed',
      first === 2 && second === 2, `ejected by ${first} and ${second} of 2`)
    stage.claim('both took it back once it was well', returned === 2, `${returned} of 2`)
  },
}

const rollout: Act = {
  title: 'The new version takes over, live',
  about: 'The weights go from 90/10 to 50/50 to 0/100 with mesh.update(), under load. The next request already obeys.',
  async play(stage) {
    await stage.watch(500)
    const half = await shift(stage, 50, 50)
    stage.tell('50/50 is applied')
    await stage.watch(5_000)
    const whole = await shift(stage, 0, 100)
    stage.tell('0/100 is applied')
    await stage.watch(2_500)
    await stage.report()
    const between = stage.samples.filter(({ sentAt }) => sentAt > half.applied && sentAt < whole.asked)
    const after = stage.samples.filter(({ sentAt }) => sentAt > whole.applied)
    claimShare(stage, between, 50)
    const [old, young] = [served(after, '1.0.0'), served(after, '2.0.0')]
    stage.claim('from the next request on, none goes to 1.0.0', young > 0 && old === 0,
      `next request sent ${ms((after[0]?.sentAt ?? Number.NaN) - whole.applied)} later; ${young} to 2.0.0, ${old} to 1.0.0`)
    stage.claimNothingLost()
  },
}

const outage: Act = {
  title: 'The whole of pricing goes down, and comes back',
  about: 'The weights are at 50/50 again. Breakers open: order stops waiting for pricing and answers without a price, at once.',
  async play(stage) {
    const { shop } = stage
    const opened = (): number =>
      new Set(stage.seen('breaker-opened').map(({ service, detail }) => `${service} ${detail.cluster}`)).size
    // The last word counts: one that closes while some of pricing is still starting may open again.
    const closed = (): number => {
      const words = [...stage.seen('breaker-opened'), ...stage.seen('breaker-closed')].sort((a, b) => a.at - b.at)
      const last = new Map(words.map(({ event, service, detail }) => [`${service} ${detail.cluster}`, event]))
      return [...last.values()].filter((event) => event === 'breaker-closed').length
    }
    await shift(stage, 50, 50)
    await stage.watch(1_000)
    await Promise.all(shop.pricing.map((service) => service.kill()))
    stage.tell('all four pricing instances are killed')
    await stage.watchUntil(() => opened() === 4, 12_000)
    await stage.watch(2_500)
    const back = performance.now()
    await startAll(shop.pricing)
    stage.tell('all four listen again')
    await stage.watchUntil(() => closed() === 4, 20_000)
    const recovered = performance.now()
    await stage.watch(2_000)
    await stage.report()
    // A call whose first attempt failed just before the breaker opened has waited for its retry: that is no refusal at once.
    const refused = stage.samples.filter(({ because, attempts }) => because === 'ENMESH_CIRCUIT_OPEN' && attempts === 0)
      .map(({ waited = Infinity }) => waited)
    const quantile = (percent: number): string => `p${percent} ${ms(percentile(refused, percent))}`
    const reads = stage.samples.filter(({ kind }) => kind === 'read')
    const unanswered = reads.filter(({ status }) => status !== 200).length
    const after = reads.filter(({ sentAt }) => sentAt > recovered)
    stage.claim('two order instances, two versions: all four breakers opened, and closed again', opened() === 4 && closed() === 4,
      `${opened()} opened, ${closed()} closed, the last ${ms(recovered - back)} after pricing was started`)
    // The median is what a refusal costs; what lies far above it has waited for a core of the machine.
    stage.claim('an open breaker refuses in under 1 ms', refused.length >= stage.load.rate && percentile(refused, 50) < 1,
      `${refused.length} refused; in order ${[50, 99].map(quantile).join(', ')}`)
    stage.claim('the shop went on reading orders, without prices', unanswered === 0,
      `${unanswered} of ${reads.length} reads without an answer`)
    stage.claim('then every read has its price again', after.length > 0 && after.every(succeeded),
      `${after.filter(succeeded).length} of ${after.length}`)
  },
}

/** The acts in the order they are played; each leaves the shop well. */
export const story: readonly Act[] = [split, crash, spoiled, rollout, outage]
