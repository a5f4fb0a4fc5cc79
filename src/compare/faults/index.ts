import { well } from './behaviour.ts'
import { atOne, type Fault } from './fault.ts'

/** Time between two replacements, as a share of what the registry is behind: so that of three addresses never all are gone. */
const spacing = 0.6

/** What breaks, in the order of the report. */
export const faults: readonly Fault[] = [
  atOne('slow', 'One of three is slow', 'One instance takes 250 ms for each request in place of 10.', { ...well, work: 250 }, well),
  atOne('failing', 'One of three fails at once', 'One instance answers everything with an instant 503, health checks included, and so seems the least busy.', { ...well, kind: 'failing' }, well),
  atOne('hanging', 'One of three hangs', 'One instance takes connections and requests, and never answers.', { ...well, kind: 'hanging' }, well),
  atOne('resetting', 'One of three resets', 'One instance resets each connection as soon as a request is in.', { ...well, kind: 'resetting' }, well),
  {
    id: 'killed', title: 'One of three is killed', starts: 1, what: 'One instance is killed with requests under way, and started again at its address.',
    async play({ instances, pace, mark, wait }) {
      mark('One instance is killed')
      const { version, port } = await instances.killFirst()
      await wait(pace.during)
      await instances.start(version, port)
      mark('It is back')
    },
  },
  {
    id: 'rolling', title: 'Rolling deployment, registry behind', starts: 3,
    what: 'Each of the three instances is replaced by one at another address, one after the other; the old one answers what it has and is gone. Whoever calls learns of each change late.',
    async play({ instances, pace: { stale }, running, mark, wait, situation, refused }) {
      const late: Promise<void>[] = []
      for (let index = 0; index < 3; index++) {
        if (index > 0) await wait(stale * spacing)
        mark(`Instance ${index + 1} is replaced`)
        await instances.start('v1')
        await instances.retireFirst()
        const now = situation()
        late.push(wait(stale).then(async () => {
          mark(`The registry knows that instance ${index + 1} is replaced`)
          refused(await running.push(now))
        }))
      }
      await Promise.all(late)
    },
  },
  {
    id: 'all-down', title: 'All three are down', starts: 3, what: 'All instances are killed at once, and started again at their addresses.',
    async play({ instances, pace, mark, wait }) {
      mark('All instances are killed')
      const gone = [await instances.killFirst(), await instances.killFirst(), await instances.killFirst()]
      await wait(pace.during / 2)
      await Promise.all(gone.map(({ version, port }) => instances.start(version, port)))
      mark('They are back')
    },
  },
  {
    id: 'brown-out', title: 'Brown-out: 1.2 × capacity', what: 'All instances slow down until what is asked of them is 1.2 times what they can do.',
    async play({ instances, pace, rate, mark, wait }) {
      const slots = 2
      mark('Capacity falls to 1 / 1.2 of the load')
      await instances.behaveAll({ kind: 'well', slots, work: 3 * slots * 1_000 * 1.2 / rate })
      await wait(pace.during)
      mark('Capacity is back')
      await instances.behaveAll(well)
    },
  },
  {
    id: 'weights', title: 'A weight shift', what: 'Calls that were divided 90 : 10 between two versions are all given to the new one; answers of the old one to calls from then on are wrong.',
    fleet: { counts: { v1: 2, v2: 2 }, weights: { v1: 90, v2: 10 } }, wanted: 'v2',
    async play({ running, pace, mark, wait, only, refused }) {
      mark('All calls are to go to v2')
      refused(await running.push(only('v2')))
      await wait(pace.during)
    },
  },
  {
    id: 'misconfigured', title: 'A broken configuration is pushed',
    what: 'What is pushed leads nowhere: a cluster or backend that is not there, addresses whose port is missing. It is put right afterwards.',
    async play({ running, pace, mark, wait, situation, refused }) {
      mark('A broken configuration is pushed')
      refused(await running.pushBroken(situation()))
      await wait(pace.during)
      mark('A right one is pushed')
      await running.push(situation())
    },
  },
]
