import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { membership } from '../../src/cluster/membership.ts'
import { Endpoint, type EndpointSpec } from '../../src/core/endpoint.ts'

const from = (...specs: EndpointSpec[]): Endpoint[] => specs.map((spec) => new Endpoint(spec))
const ids = (endpoints: readonly Endpoint[]): string[] => endpoints.map(({ id }) => id)

describe('membership', () => {
  test('keeps the objects of those that stay, in the order of the new set', () => {
    const [a, b, c] = from({ address: 'a:1' }, { address: 'b:1' }, { address: 'c:1' }) as [Endpoint, Endpoint, Endpoint]
    a.ejections = 3
    const { endpoints, added, removed, changed } = membership([a, b, c], [{ address: 'd:1' }, { address: 'c:1' }, { address: 'a:1' }])
    assert.deepEqual(ids(endpoints), ['d:1', 'c:1', 'a:1'])
    assert.ok(endpoints[1] === c && endpoints[2] === a)
    assert.equal(a.ejections, 3)
    assert.deepEqual([ids(added), removed, changed], [['d:1'], [b], []])
  })

  test('goes by the id, not the address: a new instance at an old address inherits nothing', () => {
    const [old] = from({ address: 'a:1', id: 'task-1' })
    const { endpoints, added, removed } = membership([old!], [{ address: 'a:1', id: 'task-2' }])
    assert.ok(endpoints[0] !== old)
    assert.deepEqual([ids(added), removed], [['task-2'], [old]])
  })

  test('takes the same id at another address, or with TLS where there was none, for another endpoint', () => {
    for (const spec of [{ address: 'b:1', id: 'x' }, { address: 'a:1', id: 'x', tls: true }]) {
      const [old] = from({ address: 'a:1', id: 'x' })
      const { endpoints, added, removed } = membership([old!], [spec])
      assert.ok(endpoints[0] !== old && endpoints[0] === added[0])
      assert.deepEqual(removed, [old])
    }
  })

  test('writes a new weight and new metadata to the endpoint that stays', () => {
    const [a, b, c, d] = from(
      { address: 'a:1' }, { address: 'b:1', metadata: { zone: 'x' } }, { address: 'c:1', weight: 2 }, { address: 'd:1', metadata: { zone: 'x' } },
    ) as [Endpoint, Endpoint, Endpoint, Endpoint]
    const { endpoints, added, removed, changed } = membership([a, b, c, d], [
      { address: 'a:1', weight: 5 }, { address: 'b:1', metadata: { zone: 'y' } }, { address: 'c:1' }, { address: 'd:1', metadata: { zone: 'x' } },
    ])
    assert.deepEqual([endpoints, added, removed, changed], [[a, b, c, d], [], [], [a, b, c]])
    assert.deepEqual([a.weight, b.metadata, c.weight], [5, { zone: 'y' }, 1])
  })

  test('writes a new IP address behind a name to the endpoint that stays', () => {
    const [a] = from({ address: 'a:1', ip: '10.0.0.1' })
    assert.equal(a!.ip, '10.0.0.1')
    for (const ip of ['10.0.0.2', undefined]) {
      const { endpoints, changed } = membership([a!], [{ address: 'a:1', ...(ip !== undefined && { ip }) }])
      assert.deepEqual([endpoints, changed, a!.ip], [[a], [a], ip])
    }
  })

  test('notices metadata that is gone or has another key', () => {
    for (const metadata of [{}, { rack: 'x' }, { zone: 'x', rack: 'x' }]) {
      const [a] = from({ address: 'a:1', metadata: { zone: 'x' } })
      assert.deepEqual(membership([a!], [{ address: 'a:1', metadata }]).changed, [a])
    }
  })

  test('of several with one id the last counts', () => {
    const { endpoints, added } = membership([], [{ address: 'a:1', weight: 1 }, { address: 'b:1' }, { address: 'a:1', weight: 7 }])
    assert.deepEqual(endpoints.map(({ id, weight }) => [id, weight]), [['a:1', 7], ['b:1', 1]])
    assert.equal(added.length, 2)
  })

  test('from nothing to some, and back to nothing', () => {
    const some = membership([], [{ address: 'a:1' }])
    assert.equal(some.added.length, 1)
    const none = membership(some.endpoints, [])
    assert.deepEqual([none.endpoints, none.added, none.removed], [[], [], some.endpoints])
  })

  test('reads each spec a fixed number of times, so 10 000 endpoints cost ten times 1 000', () => {
    const reads = (size: number): number => {
      let count = 0
      const specs = Array.from({ length: size }, (_, index) => ({ get address() { count++; return `h${index}:1` } }))
      const { endpoints } = membership([], specs)
      const moved = membership(endpoints, [...specs.slice(size / 2), ...Array.from({ length: size / 2 }, (_, index) => ({ address: `n${index}:1` }))])
      assert.deepEqual([moved.endpoints.length, moved.added.length, moved.removed.length, moved.changed.length], [size, size / 2, size / 2, 0])
      assert.ok(moved.endpoints[0] === endpoints[size / 2])
      return count
    }
    assert.equal(reads(10_000), 10 * reads(1_000))
  })
})
