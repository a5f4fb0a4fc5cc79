import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MeshInput } from '../../src/index.ts'
import { load, story } from './support/story.ts'
import { says } from './support/upstream.ts'

const ways = { 'health checks': { healthCheck: { protocol: 'tcp', interval: '20ms', timeout: '5s' } }, 'outlier detection alone': {} }

for (const [what, cluster] of Object.entries(ways)) {
  test(`a registry that still lists two of three instances which are gone costs no call, with ${what}`, async (t) => {
    const stage = story(t)
    const servers = [await stage.upstream(says('one')), await stage.upstream(says('two')), await stage.upstream(says('three'))]
    const mesh = stage.mesh({
      services: { 'svc.test': { cluster: 'c', retry: { attempts: 3, backoff: { max: 1 } } } },
      // No retry but what calls earn: a dead address in every second attempt would use them up.
      clusters: { c: {
        registry: { type: 'static', endpoints: servers.map(({ address }) => address) }, balancer: { type: 'least-request' }, breaker: false, budget: { perSecond: 1 }, ...cluster,
      } },
    } as MeshInput)
    const send = async (times: number): Promise<Set<string>> => {
      const answers = new Set<string>()
      await load(times, 4, async () => { answers.add(await (await mesh.fetch('http://svc.test/')).text()) })
      return answers
    }
    assert.deepEqual([...await send(300)].toSorted(), ['one', 'three', 'two'])
    await servers[0]!.kill()
    await send(300)
    await servers[1]!.kill()
    await send(300)
    assert.deepEqual([...await send(1_000)], ['three'])
  })
}
