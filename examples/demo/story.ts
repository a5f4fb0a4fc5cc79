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
    await stage.watch(6_000)
    await stage.report()
    claimShare(stage, stage.samples, 10)
    stage.claimNoReadLost()
  },
}

const crash: Act = {
  title: 'An order instance is killed under load, and comes back',
  about: 'Reads that were under way are tried again on the other instance; orders being placed are never sent twice.',
  async play(stage) {
    const { shop } = stage
    const victim = shop.orders[1]!
    const isVictim = ({ detail }: { detail: { endpoint: string } }): boolean => detail.endpoint === victim.address
    await stage.watch(1_000)
    await victim.kill()
    stage.tell(`${victim.name} is killed (SIGKILL)`)
    await stage.watch(1_000)
    await victim.start()
    stage.tell(`${victim.name} listens again`)
    await stage.watchUntil(() => stage.seen('endpoint-returned').some(isVictim), 12_000)
    const returned = performance.now()
    await stage.watch(1_500)
    await stage.report()
    const again = stage.samples.filter((sample) => sample.order === victim.address && sample.sentAt > returned).length
    const places = stage.samples.filter(({ kind }) => kind === 'place')
    const placed = places.filter(succeeded).length
    const twice = shop.placed.length - new Set(shop.placed).size
    stage.claimNoReadLost()
    stage.claim(`the gateway ejected ${victim.name}, and took it back after probation`,
      stage.seen('endpoint-ejected').some(isVictim) && stage.seen('endpoint-returned').some(isVictim) && again > 0,
      `${again} requests to it since`)
    stage.claim('no order was placed twice', twice === 0,
      `${places.length} sent, ${placed} confirmed, ${places.length - placed} reported as failed`)
  },
}

const spoiled: Act = {
  title: 'A pricing instance turns slow, then fails, then recovers',
  about: 'An attempt has 750 ms. Five that fail in a row eject the instance; when its time is over, one real request decides.',
  async play(stage) {
    const { shop } = stage
    const victim = shop.pricingV1[1]!
    const times = (event: 'endpoint-ejected' | 'endpoint-returned', since: number): number =>
      stage.seen(event, since).filter(({ detail }) => detail.endpoint === victim.address).length
    await stage.watch(1_000)
    const slow = performance.now()
    await spoil(victim, { mode: 'slow', delay: 2_000 })
    stage.tell(`${victim.name} turns slow: each answer takes two seconds`)
    await stage.watchUntil(() => times('endpoint-ejected', slow) >= 2, 8_000)
    const failing = performance.now()
    await spoil(victim, { mode: 'fail' })
    stage.tell(`${victim.name} fails: each answer is a 503`)
    await stage.watchUntil(() => times('endpoint-ejected', failing) >= 2, 8_000)
    const healed = performance.now()
    await spoil(victim, { mode: 'ok' })
    stage.tell(`${victim.name} is well again`)
    await stage.watchUntil(() => times('endpoint-returned', healed) >= 2, 12_000)
    await stage.watch(500)
    await stage.report()
    const second = times('endpoint-ejected', failing)
    const first = times('endpoint-ejected', slow) - second
    const returned = times('endpoint-returned', healed)
    stage.claimNoReadLost()
    stage.claim('both order instances ejected it while it was slow, and did not take it back while it failed',
      first >= 2 && second >= 2, `ejected ${first} + ${second} times`)
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
    await stage.watch(3_000)
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
    stage.claimNoReadLost()
  },
}

const outage: Act = {
  title: 'The whole of pricing goes down, and comes back',
  about: 'The weights are at 50/50 again. Breakers open: order stops waiting for pricing and answers without a price, at once.',
  async play(stage) {
    const { shop } = stage
    const breakers = (event: 'breaker-opened' | 'breaker-closed', since?: number): ReadonlySet<string> =>
      new Set(stage.seen(event, since).map(({ service, detail }) => `${service} ${detail.cluster}`))
    await shift(stage, 50, 50)
    await stage.watch(1_000)
    await Promise.all(shop.pricing.map((service) => service.kill()))
    stage.tell('all four pricing instances are killed')
    await stage.watchUntil(() => breakers('breaker-opened').size === 4, 8_000)
    await stage.watch(2_500)
    const back = performance.now()
    await startAll(shop.pricing)
    stage.tell('all four listen again')
    await stage.watchUntil(() => breakers('breaker-closed', back).size === 4, 8_000)
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
    const [opened, closed] = [breakers('breaker-opened').size, breakers('breaker-closed', back).size]
    stage.claim('two order instances, two versions: all four breakers opened, and closed again', opened === 4 && closed === 4,
      `${opened} opened, ${closed} closed, the last ${ms(recovered - back)} after pricing was started`)
    stage.claim('an open breaker refuses nine calls in ten in under 1 ms', refused.length > 100 && percentile(refused, 90) < 1,
      `${refused.length} refused; in order ${[50, 90, 99].map(quantile).join(', ')}`)
    stage.claim('the shop went on reading orders, without prices', unanswered === 0,
      `${unanswered} of ${reads.length} reads without an answer`)
    stage.claim('then every read has its price again', after.length > 0 && after.every(succeeded),
      `${after.filter(succeeded).length} of ${after.length}`)
  },
}

/** The acts in the order they are played; each leaves the shop well. */
export const story: readonly Act[] = [split, crash, spoiled, rollout, outage]
