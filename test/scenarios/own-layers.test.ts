import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Attempt, Layer, Mesh } from '../../src/index.ts'
import { rejection, story } from './support/story.ts'
import { says } from './support/upstream.ts'

const underWay = (mesh: Mesh): readonly number[] => {
  const { calls, clusters } = mesh.status()
  return [calls, ...Object.values(clusters).flatMap(({ active, pending }) => [active, pending])]
}

const meshWith = (t: Parameters<typeof story>[0], address: string, attempt: Layer<Attempt>): Mesh =>
  story(t).mesh({ services: { 'svc.test': { cluster: 'c', timeout: 0 } }, clusters: { c: { registry: { type: 'static', endpoints: [address] } } } }, { layers: { attempt: [attempt] } })

test('an attempt that a layer sends twice, one after the other, is refused the second time and waits for no socket', async (t) => {
  const server = await story(t).upstream(says('hello'))
  const mesh = meshWith(t, server.address, (next) => async (attempt) => {
    const ended = new Promise((resolve) => attempt.onEnd(resolve))
    await next(attempt)
    await ended
    return next(attempt)
  })
  const error = await rejection(mesh.fetch('http://svc.test/')) as Error
  assert.match((error.cause as Error).message, /this attempt is over: a layer sends each attempt once/)
  assert.deepEqual(underWay(mesh), [0, 0, 0])
})

test('an attempt that a layer sends only when its call was given up gets onto no wire', async (t) => {
  const server = await story(t).upstream(says('hello'))
  const controller = new AbortController()
  let late: Promise<unknown> | undefined
  const mesh = meshWith(t, server.address, (next) => async (attempt) => {
    controller.abort(new RangeError('enough'))
    await Promise.resolve()
    await (late = rejection(next(attempt)))
    throw new Error('nobody hears it')
  })
  assert.equal((await rejection(mesh.fetch('http://svc.test/', { signal: controller.signal })) as Error).message, 'enough')
  assert.equal((await late as Error).message, 'enough')
  assert.deepEqual(underWay(mesh), [0, 0, 0])
  assert.equal(server.accepted, 0)
})

test('close() ends a call that a layer holds', async (t) => {
  const server = await story(t).upstream(says('hello'))
  const mesh = story(t).mesh({ services: { 'svc.test': [server.address] }, drain: 0 }, { layers: { call: [() => () => new Promise(() => {})] } })
  const failed = rejection(mesh.fetch('http://svc.test/', { mesh: { timeout: 0 } }))
  await mesh.close()
  assert.equal((await failed as { code?: string }).code, 'ENMESH_CLOSED')
  assert.equal(mesh.status().calls, 0)
})
