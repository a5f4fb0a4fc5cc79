import assert from 'node:assert/strict'
import { test } from 'node:test'
import { available, panicThresholdConfig, Probation } from '../../src/cluster/availability.ts'
import { Call } from '../../src/core/call.ts'
import { Endpoint, type EndpointState } from '../../src/core/endpoint.ts'
import { RequestHead, type RequestBody } from '../../src/core/request.ts'
import { FakeClock } from '../../src/testing/index.ts'

const endpointsIn = (...states: EndpointState[]): Endpoint[] => states.map((state, i) => {
  const endpoint = new Endpoint({ address: `10.0.0.${i + 1}:80` })
  endpoint.state = state
  return endpoint
})

const chosen = (states: EndpointState[], threshold = 50): [count: number, panic: boolean] => {
  const { endpoints, panic } = available(endpointsIn(...states), threshold)
  return [endpoints.length, panic]
}

test('panic starts below half by default', () => {
  assert.equal(panicThresholdConfig.parse(undefined), 50)
})

test('ejected endpoints and those on probation are left out', () => {
  const endpoints = endpointsIn('available', 'ejected', 'available', 'probation')
  assert.deepEqual(available(endpoints, 50), { endpoints: [endpoints[0], endpoints[2]], panic: false, unchecked: false })
})

test('exactly the threshold is no panic, below it all are used', () => {
  assert.deepEqual(chosen(['available', 'ejected']), [1, false])
  assert.deepEqual(chosen(['available', 'ejected', 'probation']), [3, true])
  assert.deepEqual(chosen(['available', 'available', 'ejected']), [2, false])
  assert.deepEqual(chosen(['available', 'available', 'ejected', 'ejected']), [2, false])
  assert.deepEqual(chosen(['available', 'ejected', 'ejected', 'ejected']), [4, true])
  assert.deepEqual(chosen(['ejected']), [1, true])
})

test('a threshold of 100 panics at the first ejection, one of 0 never', () => {
  assert.deepEqual(chosen(['available', 'available', 'ejected'], 100), [3, true])
  assert.deepEqual(chosen(['available', 'available'], 100), [2, false])
  assert.deepEqual(chosen(['ejected', 'ejected'], 0), [0, false])
})

test('in a panic those that cannot be connected to are left alone, as long as there is another', () => {
  const endpoints = endpointsIn('available', 'unhealthy', 'ejected', 'probation')
  const [first, second, third, fourth] = endpoints as [Endpoint, Endpoint, Endpoint, Endpoint]
  const used = (...lost: readonly Endpoint[]) => available(endpoints, 50, (endpoint) => lost.includes(endpoint))
  assert.deepEqual(used(second), { endpoints: [first, third, fourth], panic: true, unchecked: false })
  assert.deepEqual(used(second, third, fourth), { endpoints: [first], panic: true, unchecked: false })
  assert.deepEqual(used(first, second).endpoints, [first, third, fourth], 'nobody else brings back one that is available')
  assert.deepEqual(used(...endpoints).endpoints, endpoints)
  assert.deepEqual(available(endpoints.slice(0, 2), 50, () => true), { endpoints: [first], panic: false, unchecked: false })
})

test('retired endpoints are never used and count for nothing', () => {
  assert.deepEqual(chosen(['available', 'ejected', 'retired', 'retired']), [1, false])
  const endpoints = endpointsIn('ejected', 'retired')
  assert.deepEqual(available(endpoints, 50), { endpoints: [endpoints[0]], panic: true, unchecked: false })
})

test('unhealthy endpoints are left out, and count against panic', () => {
  assert.deepEqual(chosen(['available', 'unhealthy']), [1, false])
  assert.deepEqual(chosen(['available', 'unhealthy', 'unhealthy']), [3, true])
})

test('endpoints that were not checked yet are used only while too few others are available, and before panic begins', () => {
  const used = (states: EndpointState[], threshold = 50): string => {
    const { endpoints, panic, unchecked } = available(endpointsIn(...states), threshold)
    return `${endpoints.map(({ state }) => state).join(' ')}${unchecked ? ' (some unchecked)' : ''}${panic ? ' (panic)' : ''}`
  }
  assert.equal(used(['available', 'unchecked']), 'available')
  assert.equal(used(['available', 'unchecked', 'unchecked']), 'available unchecked unchecked (some unchecked)')
  assert.equal(used(['unchecked', 'unchecked']), 'unchecked unchecked (some unchecked)')
  assert.equal(used(['unhealthy', 'unchecked']), 'unchecked (some unchecked)')
  assert.equal(used(['unhealthy', 'unhealthy', 'unchecked']), 'unhealthy unhealthy unchecked (some unchecked) (panic)')
  assert.equal(used(['unhealthy', 'unchecked'], 0), 'unchecked (some unchecked)', 'no call fails for lack of a first verdict')
  assert.equal(used(['unhealthy', 'available', 'unchecked'], 0), 'available')
})

test('no endpoints at all are no panic', () => {
  assert.deepEqual(chosen([]), [0, false])
  assert.deepEqual(chosen(['retired']), [0, false])
})

const body = (replayable: boolean): RequestBody => ({ replayable, open: () => '', hold() {}, release() {} })

const waiting = () => {
  const clock = new FakeClock()
  const [endpoint, other] = endpointsIn('probation', 'probation') as [Endpoint, Endpoint]
  const probation = new Probation(clock, 10_000)
  endpoint.stateSince = clock.now()
  other.stateSince = clock.now()
  probation.enter(endpoint)
  const call = (method = 'GET', content?: RequestBody): Call => new Call(
    new RequestHead({ method, scheme: 'http', host: 'order.test', port: 80, path: '/', headers: [], body: content }), clock)
  const begin = (call: Call, endpoint: Endpoint) => {
    const attempt = call.begin(endpoint, { active: 0, pending: 0 })
    return { attempt, decides: probation.begin(attempt) }
  }
  return { clock, probation, endpoint, other, call, begin }
}

test('the next call that may be repeated elsewhere takes the probation, and only that one', () => {
  const { probation, endpoint, call } = waiting()
  assert.equal(probation.take(call('POST')), undefined)
  assert.equal(probation.take(call('PUT', body(false))), undefined)
  assert.equal(probation.take(call('PUT', body(true))), endpoint)
  assert.equal(probation.take(call()), undefined)
})

test('a retry policy that makes a call repeatable is heeded', () => {
  const { probation, endpoint, call } = waiting()
  const post = call('POST')
  post.repeatable = true
  assert.equal(probation.take(post), endpoint)
})

test('after the time of a first ejection any call takes it', async () => {
  const { probation, endpoint, call, clock } = waiting()
  await clock.advance(9_999)
  assert.equal(probation.take(call('POST')), undefined)
  await clock.advance(1)
  assert.equal(probation.take(call('POST')), endpoint)
})

test('a call that has tried the endpoint leaves it to others', () => {
  const { probation, endpoint, call } = waiting()
  const again = call()
  again.begin(endpoint, { active: 0, pending: 0 })
  assert.equal(probation.take(again), undefined)
  assert.equal(probation.take(call()), endpoint)
})

test('each endpoint on probation gets a call of its own', () => {
  const { probation, endpoint, other, call } = waiting()
  probation.enter(other)
  assert.equal(probation.take(call()), endpoint)
  assert.equal(probation.take(call()), other)
  assert.equal(probation.take(call()), undefined)
})

test('a call that never began its attempt makes room after a while', async () => {
  const { probation, endpoint, call, clock } = waiting()
  probation.take(call())
  await clock.advance(9_999)
  assert.equal(probation.take(call()), undefined)
  await clock.advance(1)
  assert.equal(probation.take(call()), endpoint)
})

test('the end of one deciding attempt frees nothing while a later one is under way', async () => {
  const { probation, endpoint, call, begin, clock } = waiting()
  const first = call()
  probation.take(first)
  const { attempt } = begin(first, endpoint)
  await clock.advance(10_000)
  const second = call()
  probation.take(second)
  const later = begin(second, endpoint)
  assert.equal(later.decides, true)
  probation.free(attempt)
  assert.equal(probation.take(call()), undefined)
  probation.free(later.attempt)
  assert.equal(probation.take(call()), endpoint)
})

test('an attempt at an endpoint that is not on probation decides nothing', () => {
  const { probation, other, call, begin } = waiting()
  const { attempt, decides } = begin(call(), other)
  assert.equal(decides, false)
  assert.equal(probation.decides(attempt), false)
  probation.free(attempt)
  assert.equal(probation.deciding(other), false)
})
