import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Call, type CallPolicy, type ClusterHandle } from '../../src/core/call.ts'
import { Endpoint } from '../../src/core/endpoint.ts'
import { MeshError, type MeshErrorCode } from '../../src/core/errors.ts'
import type { Reply } from '../../src/core/reply.ts'
import type { RequestPart } from '../../src/core/request-part.ts'
import { split, stickyPoint, type Target } from '../../src/route/split.ts'
import { aRequest } from '../../src/testing/a-matcher.ts'
import { FakeClock, scriptedRandom, seededRandom } from '../../src/testing/index.ts'

const cluster = (name: string): ClusterHandle => ({
  name,
  budget: { deposit: () => {}, withdraw: () => true },
  send: () => Promise.reject(new Error('not called by a split')),
})
const targets = (weights: Record<string, number>): Target[] =>
  Object.entries(weights).map(([name, weight]) => ({ cluster: cluster(name), weight }))
const aCall = (headers: readonly string[] = [], policy?: CallPolicy): Call =>
  new Call(aRequest({ headers }), new FakeClock(), policy)

const reply = {} as Reply
const noChance = (): number => { throw new Error('chance was asked') }

interface Drawn { readonly draw: (call?: Call) => Promise<Reply>, readonly sent: string[] }

/** A split over clusters that answer, or fail with an error given by name. */
const drawing = (
  weights: Record<string, number>,
  random: () => number,
  { sticky, failing = {} }: { sticky?: RequestPart, failing?: Record<string, unknown> } = {},
): Drawn => {
  const sent: string[] = []
  const send = split(targets(weights), sticky, { random })((call) => {
    const { name } = call.cluster!
    sent.push(name)
    const error = failing[name]
    return error === undefined ? Promise.resolve(reply) : Promise.reject(error as Error)
  })
  return { draw: (call = aCall()) => send(call), sent }
}

const refused = (code: MeshErrorCode, cause?: unknown): MeshError => new MeshError(code, `refused: ${code}`, { cause })

describe('drawing a cluster', () => {
  it('takes the first target whose cumulative share exceeds the draw', async () => {
    const { draw, sent } = drawing({ a: 90, b: 10 }, scriptedRandom(0, 0.899, 0.9, 0.999))
    for (let i = 0; i < 4; i++) await draw()
    assert.deepEqual(sent, ['a', 'a', 'b', 'b'])
  })

  it('gives nothing to a weight of 0, wherever it stands', async () => {
    const { draw, sent } = drawing({ off: 0, a: 1, idle: 0, b: 1, last: 0 }, scriptedRandom(0, 0.5, 1 - 2 ** -53))
    for (let i = 0; i < 3; i++) await draw()
    assert.deepEqual(sent, ['a', 'b', 'b'])
  })

  it('asks chance for nothing when only one target can be drawn', async () => {
    const { draw, sent } = drawing({ a: 0, b: 3 }, noChance)
    assert.equal(await draw(), reply)
    assert.deepEqual(sent, ['b'])
  })

  it('keeps the shares over 10 000 draws', async () => {
    const { draw, sent } = drawing({ a: 90, b: 9.5, c: 0.5 }, seededRandom(7))
    for (let i = 0; i < 10_000; i++) await draw()
    const share = (name: string): number => sent.filter((each) => each === name).length / 10_000
    assert.ok(Math.abs(share('a') - 0.9) < 0.01, `a got ${share('a')}`)
    assert.ok(Math.abs(share('b') - 0.095) < 0.01, `b got ${share('b')}`)
    assert.ok(Math.abs(share('c') - 0.005) < 0.003, `c got ${share('c')}`)
  })

  it('always draws a target with a weight, whatever the weights', async () => {
    const weight = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e6, noNaN: true }), fc.constant(Number.MIN_VALUE))
    const point = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    await fc.assert(fc.asyncProperty(fc.array(weight, { minLength: 1, maxLength: 6 }), point, async (weights, at) => {
      fc.pre(weights.some((each) => each > 0))
      const { draw, sent } = drawing(Object.fromEntries(weights.map((each, i) => [`c${i}`, each])), () => at)
      await draw()
      assert.ok(weights[Number(sent[0]!.slice(1))]! > 0)
    }))
  })

  it('refuses to be made without a target to draw', () => {
    assert.throws(() => drawing({ a: 0 }, noChance), /needs a target/)
  })
})

describe('sticking to a cluster', () => {
  const users = Array.from({ length: 2_000 }, (_, i) => `user-${i}`)
  const sides = async (
    weights: Record<string, number>,
    sticky: RequestPart,
    headersOf: (user: string) => string[],
  ): Promise<string[]> => {
    const { draw, sent } = drawing(weights, noChance, { sticky })
    for (const user of users) await draw(aCall(headersOf(user)))
    return sent
  }

  it('sends a user to the same cluster every time, by header or by cookie', async () => {
    const byHeader = await sides({ a: 50, b: 50 }, { header: 'x-user' }, (user) => ['X-User', user])
    assert.deepEqual(await sides({ a: 50, b: 50 }, { header: 'x-user' }, (user) => ['x-user', user]), byHeader)
    assert.deepEqual(await sides({ a: 50, b: 50 }, { cookie: 'u' }, (user) => ['cookie', `v=1; u=${user};uu=3`]), byHeader)
  })

  it('spreads users as the weights say', async () => {
    const drawn = await sides({ a: 90, b: 10 }, { header: 'x-user' }, (user) => ['x-user', user])
    const onB = drawn.filter((each) => each === 'b').length
    assert.ok(onB > 140 && onB < 260, `${onB} of 2 000 on the 10 % side`)
  })

  it('keeps the users of a side while its weight grows', async () => {
    let before = await sides({ a: 100, b: 0.5 }, { header: 'x-user' }, (user) => ['x-user', user])
    for (const weights of [{ a: 90, b: 10 }, { a: 50, b: 50 }, { a: 50, b: 200 }, { a: 0, b: 1 }]) {
      const now = await sides(weights, { header: 'x-user' }, (user) => ['x-user', user])
      before.forEach((side, i) => { if (side === 'b') assert.equal(now[i], 'b', `${users[i]} left the growing side`) })
      before = now
    }
    assert.ok(before.every((side) => side === 'b'))
  })

  it("lets the call's own key take the place of the header", async () => {
    const { draw, sent } = drawing({ a: 50, b: 50 }, noChance, { sticky: { header: 'x-user' } })
    for (const user of users.slice(0, 50)) await draw(aCall(['x-user', user]))
    for (const user of users.slice(0, 50)) await draw(aCall(['x-user', 'somebody'], { hashKey: user }))
    assert.deepEqual(sent.slice(50), sent.slice(0, 50))
    assert.equal(new Set(sent).size, 2)
  })

  it('draws by chance where there is no key', async () => {
    for (const [sticky, headers] of [
      [{ header: 'x-user' }, []],
      [{ header: 'x-user' }, ['x-user', '']],
      [{ cookie: 'u' }, ['cookie', 'xu=1; u']],
      [{ cookie: 'u' }, ['cookie', 'u=; v=2']],
    ] as const) {
      const { draw, sent } = drawing({ a: 50, b: 50 }, scriptedRandom(0.1, 0.9), { sticky })
      await draw(aCall(headers))
      await draw(aCall(headers))
      assert.deepEqual(sent, ['a', 'b'], JSON.stringify(headers))
    }
  })

  it("asks nobody's key where the route does not stick", async () => {
    const { draw, sent } = drawing({ a: 50, b: 50 }, scriptedRandom(0.1, 0.9))
    await draw(aCall([], { hashKey: 'me' }))
    await draw(aCall([], { hashKey: 'me' }))
    assert.deepEqual(sent, ['a', 'b'])
  })

  it('has a place in [0, 1) for any key, the same in every release', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (key) => {
      const point = stickyPoint(key)
      assert.ok(point >= 0 && point < 1)
    }))
    const points = ['', 'user-1', 'user-2', '💥'].map((key) => stickyPoint(key) * 2 ** 32)
    assert.deepEqual(points, [606776210, 649192660, 1989462285, 2437352404])
  })

  it('stays when its cluster refuses', async () => {
    const error = refused('ENMESH_CIRCUIT_OPEN')
    const { draw, sent } = drawing({ a: 50, b: 50 }, noChance, { sticky: { header: 'x-user' }, failing: { a: error, b: error } })
    await assert.rejects(draw(aCall(['x-user', 'me'])), (thrown) => thrown === error)
    assert.equal(sent.length, 1)
  })
})

describe('drawing again', () => {
  for (const code of ['ENMESH_NO_ENDPOINT', 'ENMESH_CIRCUIT_OPEN', 'ENMESH_OVERLOADED'] as const) {
    it(`follows a cluster that refuses with ${code} before anything was sent`, async () => {
      const { draw, sent } = drawing({ a: 50, b: 50 }, scriptedRandom(0.1), { failing: { a: refused(code) } })
      const call = aCall()
      assert.equal(await draw(call), reply)
      assert.deepEqual(sent, ['a', 'b'])
      assert.equal(call.cluster?.name, 'b')
    })
  }

  it('is by weight among the others, those of weight 0 left out', async () => {
    const failing = { a: refused('ENMESH_OVERLOADED') }
    const { draw, sent } = drawing({ a: 50, off: 0, b: 10, c: 40 }, scriptedRandom(0.1, 0.19, 0.1, 0.21), { failing })
    await draw()
    await draw()
    assert.deepEqual(sent, ['a', 'b', 'a', 'c'])
  })

  it('goes on until none is left; the caller sees the last error, with the one before as its cause', async () => {
    const [first, second, third] = [refused('ENMESH_CIRCUIT_OPEN'), refused('ENMESH_OVERLOADED'), refused('ENMESH_NO_ENDPOINT')]
    const { draw, sent } = drawing({ a: 1, b: 1, c: 1 }, scriptedRandom(0), { failing: { a: first, b: second, c: third } })
    const thrown = await draw().then(() => assert.fail('resolved'), (error: unknown) => error as MeshError)
    assert.deepEqual(sent, ['a', 'b', 'c'])
    assert.deepEqual([thrown.code, thrown.message], [third!.code, third!.message])
    assert.equal((thrown.cause as MeshError).code, second!.code)
    assert.equal((thrown.cause as MeshError).cause, first)
    assert.equal(third!.cause, undefined, 'the error thrown by the cluster is left as it was')
  })

  it('keeps the cause that the last error has of its own', async () => {
    const own = refused('ENMESH_NO_ENDPOINT', new Error('the registry is silent'))
    const { draw } = drawing({ a: 1, b: 1 }, scriptedRandom(0), { failing: { a: refused('ENMESH_OVERLOADED'), b: own } })
    await assert.rejects(draw(), (thrown) => thrown === own)
  })

  const endpoint = new Endpoint({ address: '10.0.0.1:80' })
  const attempted = (sentAt: number): Call => {
    const call = aCall()
    call.begin(endpoint, { active: 0, pending: 0 }).sentAt = sentAt
    return call
  }

  it('does not happen once something was sent', async () => {
    const error = refused('ENMESH_CIRCUIT_OPEN')
    const { draw, sent } = drawing({ a: 1, b: 1 }, scriptedRandom(0), { failing: { a: error } })
    await assert.rejects(draw(attempted(1_000)), (thrown) => thrown === error)
    assert.deepEqual(sent, ['a'])
  })

  it('happens after an attempt that never reached a socket', async () => {
    const { draw, sent } = drawing({ a: 1, b: 1 }, scriptedRandom(0), { failing: { a: refused('ENMESH_CIRCUIT_OPEN') } })
    await draw(attempted(0))
    assert.deepEqual(sent, ['a', 'b'])
  })

  it('does not happen for other errors', async () => {
    for (const error of [refused('ENMESH_CONNECT_FAILED'), refused('ENMESH_DEADLINE_EXCEEDED'), new Error('a fault'), 'a text']) {
      const { draw, sent } = drawing({ a: 1, b: 1 }, scriptedRandom(0), { failing: { a: error } })
      await assert.rejects(draw(), (thrown) => thrown === error)
      assert.deepEqual(sent, ['a'])
    }
  })

  it('does not happen for a call that was given up', async () => {
    const call = aCall()
    call.abort(new Error('enough'))
    const { draw, sent } = drawing({ a: 1, b: 1 }, scriptedRandom(0), { failing: { a: refused('ENMESH_OVERLOADED') } })
    await assert.rejects(draw(call))
    assert.deepEqual(sent, ['a'])
  })

  it('follows a sticky route too when the call has no key', async () => {
    const failing = { a: refused('ENMESH_OVERLOADED') }
    const { draw, sent } = drawing({ a: 1, b: 1 }, scriptedRandom(0), { sticky: { header: 'x-user' }, failing })
    await draw()
    assert.deepEqual(sent, ['a', 'b'])
  })
})
