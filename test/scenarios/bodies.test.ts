import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import type { Readable } from 'node:stream'
import { test, type TestContext } from 'node:test'
import { request } from 'undici'
import { createMesh, type Mesh } from '../../src/index.ts'
import { fakeRuntime, type FakeClock } from '../../src/testing/index.ts'
import { gate, next, rejection, story, turnsUntil } from './support/story.ts'
import { bodyOf, says, type Upstream } from './support/upstream.ts'

const url = 'http://svc.test/'

/** A mesh over real sockets whose back-offs pass when the test says so. */
const meshOver = (t: TestContext, server: Upstream): { readonly mesh: Mesh, readonly clock: FakeClock } => {
  const runtime = fakeRuntime()
  const mesh = createMesh({ services: { 'svc.test': [server.address] }, replayLimit: 16 }, { runtime })
  t.after(() => mesh.close())
  return { mesh, clock: runtime.clock }
}

/** Asks for a second's wait before it has read the body, and leaves its answer open if told to; stores what comes after that. */
const storing = (stored: string[], ended: boolean): RequestListener => {
  let asked = 0
  return (request, response) => {
    const first = ++asked === 1
    if (first) {
      response.writeHead(503, { 'retry-after': '1' })
      if (ended) response.end('busy')
      else response.write('busy')
    }
    // Cut uploads are what these tests are about; they are no one's body.
    bodyOf(request).then((body) => {
      stored.push(body.toString())
      if (!first) response.end('stored')
    }, () => {})
  }
}

// Not by fetch, which hears of a failing source itself and ends the call whatever the mesh does.
const put = async (mesh: Mesh, body: AsyncIterable<string>): Promise<string> => {
  const answer = await request(url, { dispatcher: mesh.dispatcher, method: 'PUT', body: body as Readable })
  return answer.body.text()
}

for (const ended of [true, false]) {
  const busy = ended ? 'a 503 that has ended' : 'a 503 that is still coming'

  test(`a streamed PUT that outgrows the replay limit while it waits after ${busy} is stored whole or not at all`, async (t) => {
    const stage = story(t)
    const stored: string[] = []
    const server = await stage.upstream(storing(stored, ended))
    const { mesh, clock } = meshOver(t, server)
    const waits = gate()
    const parts = ['head ', 'm'.repeat(100), ' tail']
    const source = async function* () {
      yield parts[0]!
      await waits.opened
      yield parts[1]!
      yield parts[2]!
    }
    const retried = next(mesh, 'retry')
    const response = put(mesh, source())
    await retried
    waits.open()
    await clock.advance(2_000)
    assert.equal(await response, 'stored')
    assert.deepEqual(stored, [parts.join('')])
    assert.equal(server.requests.length, 2)
  })

  test(`a source that fails during the wait after ${busy} reaches the caller, and nothing is stored`, async (t) => {
    const stage = story(t)
    const stored: string[] = []
    const server = await stage.upstream(storing(stored, ended))
    const { mesh, clock } = meshOver(t, server)
    const waits = gate()
    const broken = new Error('source broke')
    const source = async function* () {
      yield 'head '
      await waits.opened
      throw broken
    }
    const retried = next(mesh, 'retry')
    const error = rejection(put(mesh, source()))
    await retried
    waits.open()
    await clock.advance(2_000)
    assert.equal(await error, broken)
    await turnsUntil(() => mesh.status().calls === 0, 'the call is over')
    assert.deepEqual(stored, [])
    assert.deepEqual(mesh.status().clusters['svc.test']!.endpoints.map(({ active, failures }) => [active, failures]), [[0, 1]],
      'the 503 is the endpoint\'s failure, the source is not')
  })
}

test('a 503 whose body never ends holds neither its attempt nor close()', async (t) => {
  const stage = story(t)
  const server = await stage.upstream((request, response) => {
    request.resume()
    response.writeHead(503).write('busy')
    server.answer = says('fine')
  })
  const { mesh, clock } = meshOver(t, server)
  const retried = next(mesh, 'retry')
  const response = mesh.fetch(url)
  await retried
  await clock.advance(500)
  assert.equal(await (await response).text(), 'fine')
  await turnsUntil(() => mesh.status().clusters['svc.test']!.active <= 1, 'the second answer has ended')
  await clock.advance(1_000)
  assert.equal(mesh.status().clusters['svc.test']!.active, 0)
  await mesh.close()
  await server.deserted()
  assert.equal(clock.pending, 0)
})
