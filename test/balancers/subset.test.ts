import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Balancer } from '../../src/balancers/balancer.ts'
import { balancers } from '../../src/balancers/index.ts'
import { subset } from '../../src/balancers/subset.ts'
import { Call } from '../../src/core/call.ts'
import { Endpoint } from '../../src/core/endpoint.ts'
import { aBalancer, aRequest, fakeCall, FakeClock, fakeRuntime, seededRandom } from '../../src/testing/index.ts'

aBalancer(subset, { metadata: { version: { header: 'x-version' } } })
aBalancer(subset, { metadata: { version: '1' }, of: { type: 'round-robin' } })

const make = (options: object): Balancer =>
  balancers.make(balancers.schema.parse({ type: 'subset', of: { type: 'random' }, ...options } as never), fakeRuntime(seededRandom(1)))

const endpoint = (host: number, metadata: Record<string, string>): Endpoint => new Endpoint({ address: `10.0.0.${host}:80`, metadata })

const endpoints = [
  endpoint(1, { version: '1', stage: 'live' }),
  endpoint(2, { version: '1', stage: 'live' }),
  endpoint(3, { version: '2', stage: 'live' }),
  endpoint(4, { version: '2', stage: 'test' }),
  endpoint(5, {}),
]

const call = (headers: readonly string[] = [], tried: readonly Endpoint[] = []): Call => {
  const made = new Call(aRequest({ headers }), new FakeClock())
  for (const one of tried) made.begin(one, { active: 0, pending: 0 })
  return made
}

/** Who may get a call, by number. */
const who = (balancer: Balancer, headers: readonly string[] = []): number[] => {
  const pick = balancer(endpoints)
  const seen = new Set(Array.from({ length: 200 }, () => pick(call(headers))))
  return [...seen].filter((one) => one !== undefined).map((one) => endpoints.indexOf(one) + 1).sort()
}

const byVersion = { metadata: { version: { header: 'x-version' } } }

describe('subset', () => {
  test('goes by what the request asks for', () => {
    assert.deepEqual(who(make(byVersion), ['x-version', '1']), [1, 2])
    assert.deepEqual(who(make(byVersion), ['x-version', '2']), [3, 4])
  })

  test('goes by values that are fixed, and by several together', () => {
    assert.deepEqual(who(make({ metadata: { stage: 'live' } })), [1, 2, 3])
    assert.deepEqual(who(make({ metadata: { version: { header: 'x-version' }, stage: 'live' } }), ['x-version', '2']), [3])
  })

  test('falls back to any, to none, or to those with some metadata', () => {
    for (const headers of [[], ['x-version', '3'], ['x-version', '']]) {
      assert.deepEqual(who(make(byVersion), headers), [1, 2, 3, 4, 5])
      assert.deepEqual(who(make({ ...byVersion, fallback: 'none' }), headers), [])
      assert.deepEqual(who(make({ ...byVersion, fallback: { stage: 'live' } }), headers), [1, 2, 3])
      assert.deepEqual(who(make({ ...byVersion, fallback: { stage: 'live', version: '2' } }), headers), [3])
      assert.deepEqual(who(make({ ...byVersion, fallback: { stage: 'gone' } }), headers), [])
    }
  })

  test('a retry stays in the subset', () => {
    const pick = make(byVersion)(endpoints)
    const two = ['x-version', '2']
    assert.equal(pick(call(two, [endpoints[2]!])), endpoints[3])
    assert.ok([endpoints[2], endpoints[3]].includes(pick(call(two, endpoints.slice(2, 4)))))
  })

  test('one request cannot be taken for another', () => {
    const odd = [endpoint(1, { a: '1","2', b: '3' }), endpoint(2, { a: '1', b: '2","3' })]
    const pick = make({ metadata: { a: { header: 'x-a' }, b: { header: 'x-b' } }, fallback: 'none' })(odd)
    assert.equal(pick(call(['x-a', '1","2', 'x-b', '3'])), odd[0])
    assert.equal(pick(call(['x-a', '1', 'x-b', '2","3'])), odd[1])
    assert.equal(pick(call(['x-a', '__proto__', 'x-b', 'constructor'])), undefined)
  })

  test('says whom each endpoint is for', () => {
    const { explain } = make(byVersion)(endpoints)
    assert.equal(explain?.(endpoints[0]!), "for requests that ask for version '1'")
    assert.equal(explain?.(endpoints[4]!), 'for requests that no other endpoint fits')
    assert.equal(make({ ...byVersion, fallback: 'none' })(endpoints).explain?.(endpoints[4]!), 'for no request: it lacks what subsets go by')
  })

  test('says whether it is for a request that is given', () => {
    const said = (options: object, headers: string[]) => {
      const { explain } = make({ ...byVersion, ...options })(endpoints)
      return [0, 4].map((place) => explain?.(endpoints[place]!, call(headers).request))
    }
    const other = 'for requests that no other endpoint fits'
    assert.deepEqual(said({}, ['x-version', '1']), ["for requests that ask for version '1', and for this one", other])
    assert.deepEqual(said({}, ['x-version', '2']), ["for requests that ask for version '1', and not for this one", other])
    assert.deepEqual(said({}, []), ["for requests that ask for version '1', and for this one", other])
    assert.equal(said({ fallback: 'none' }, ['x-version', '9'])[0], "for requests that ask for version '1', and not for this one")
  })

  test('finds nothing in nothing, and refuses to choose by nothing', () => {
    assert.equal(make(byVersion)([])(fakeCall()), undefined)
    for (const options of [{ metadata: {} }, {}, { ...byVersion, fallback: {} }, { ...byVersion, fallback: 'all' }, { metadata: { version: {} } }]) {
      assert.ok(!balancers.schema.safeParse({ type: 'subset', ...options }).success, JSON.stringify(options))
    }
  })
})
