import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readOtlp, type SpanRecord } from '../../examples/demo/collector.ts'
import { drawTrace, ownTime, serviceTimes, tellingTrace, treeOf } from '../../examples/demo/trace.ts'

const span = (
  id: string, parent: string, service: string, kind: SpanRecord['kind'], [start, end]: readonly [number, number],
  attributes: SpanRecord['attributes'] = {}, links: readonly string[] = [],
): SpanRecord => ({ trace: 't', id, parent, links, service, name: kind === 'internal' ? 'call pricing' : 'GET', kind, start, end, failed: false, attributes })

const retried: readonly SpanRecord[] = [
  span('a2', 'call', 'order-1', 'client', [20, 26],
    { 'server.address': 'pricing', 'http.response.status_code': 200, 'http.request.resend_count': 1, 'enmesh.attempt.reason': 'retry after 503' }),
  span('p2', 'a2', 'pricing-1a', 'server', [21, 25], { 'http.response.status_code': 200 }),
  span('o', '', 'order-1', 'server', [0, 30], { 'http.response.status_code': 200 }),
  span('a1', 'o', 'order-1', 'client', [2, 8], { 'server.address': 'pricing', 'http.response.status_code': 503 }),
  span('p1', 'a1', 'pricing-1b', 'server', [3, 5], { 'http.response.status_code': 503 }),
  span('call', 'o', 'order-1', 'internal', [2, 26], { 'enmesh.attempts': 2 }, ['a1']),
]

test('a trace is drawn as a tree, a retried call above all its attempts, with the time of each', () => {
  assert.deepEqual(drawTrace(treeOf(retried)!), [
    'order-1: GET 200                       ████████████████████████    30.0 ms      6.0 ms in the service',
    '└─ call pricing, tried 2 times          ███████████████████        24.0 ms     12.0 ms waiting',
    '   ├─ → pricing 503                     █████                       6.0 ms      4.0 ms in the network',
    '   │  └─ pricing-1b: GET 503             ██                         2.0 ms      2.0 ms in the service',
    '   └─ → pricing 200 (retry after 503)                  █████        6.0 ms      2.0 ms in the network',
    '      └─ pricing-1a: GET 200                           ███          4.0 ms      4.0 ms in the service',
  ])
})

test('own time is what no span below covers, however these overlap', () => {
  const tree = treeOf([
    span('r', '', 'a', 'server', [0, 100]),
    span('1', 'r', 'a', 'client', [10, 40]), span('2', 'r', 'a', 'client', [30, 60]), span('3', 'r', 'a', 'client', [35, 50]),
    span('4', 'r', 'a', 'client', [90, 120]),
  ])
  assert.equal(ownTime(tree!), 40)
})

test('a trace with a part missing is no tree', () => {
  assert.equal(treeOf(retried.filter(({ id }) => id !== 'o')), undefined)
  assert.equal(treeOf(retried.filter(({ id }) => id !== 'a2')), undefined)
  assert.equal(treeOf([]), undefined)
})

test('the telling trace goes through the most services, and is a retried one if there is any', () => {
  const other = (trace: string, spans: readonly SpanRecord[]): readonly SpanRecord[] => spans.map((one) => ({ ...one, trace }))
  const plain = other('plain', [span('o', '', 'order-1', 'server', [0, 9]), span('c', 'o', 'order-1', 'client', [1, 8]), span('p', 'c', 'pricing-1a', 'server', [2, 7])])
  const short = other('short', [span('o', '', 'order-1', 'server', [0, 9])])
  assert.equal(tellingTrace([...plain, ...retried, ...short])?.span.trace, 't')
  assert.equal(tellingTrace([...short, ...plain])?.span.trace, 'plain')
  assert.equal(tellingTrace([]), undefined)
})

test('times of a service are those of all its instances, those of the network what its callers waited beyond', () => {
  assert.deepEqual(serviceTimes(retried), [
    { service: 'order', count: 1, p50: 30, p99: 30, network: 0 },
    { service: 'pricing', count: 2, p50: 4, p99: 4, network: 4 },
  ])
})

test('spans are read from OTLP as JSON', () => {
  const [read] = readOtlp({
    resourceSpans: [{
      resource: { attributes: [{ key: 'service.name', value: { stringValue: 'order-1' } }] },
      scopeSpans: [{
        spans: [{
          traceId: 't', spanId: 's', name: 'GET', kind: 3, startTimeUnixNano: '1000000000', endTimeUnixNano: '1002500000', status: { code: 2 },
          attributes: [{ key: 'server.port', value: { intValue: '80' } }, { key: 'ok', value: { boolValue: true } }, { key: 'x', value: { doubleValue: 0.5 } }],
          links: [{ spanId: 'l' }],
        }],
      }],
    }],
  })
  assert.deepEqual(read, {
    trace: 't', id: 's', parent: '', links: ['l'], service: 'order-1', name: 'GET', kind: 'client', start: 1_000, end: 1_002.5, failed: true,
    attributes: { 'server.port': 80, 'ok': true, 'x': 0.5 },
  })
})
