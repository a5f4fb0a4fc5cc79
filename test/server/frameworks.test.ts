import assert from 'node:assert/strict'
import { AsyncResource } from 'node:async_hooks'
import { describe, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { currentPassport, type Passport } from '../../src/server/index.ts'
import { FakeClock } from '../../src/testing/index.ts'
import { ask, frameworks, listening, meshFor, recorder } from './support.ts'

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const path = '/shops/7/things/1?key=secret'
const traceparent = `00-${'4b'.repeat(16)}-${'c5'.repeat(8)}-01`

for (const [name, serve] of Object.entries(frameworks)) {
  describe(`with ${name}`, () => {
    test('a request id that came is kept, and answered with', async (t) => {
      const address = await listening(t, await serve({ thing: () => ({ id: currentPassport()?.requestId }) }))
      const { status, headers, body } = await ask(address, path, { 'x-request-id': 'mine-1' })
      assert.equal(status, 200)
      assert.equal(headers['x-request-id'], 'mine-1')
      assert.deepEqual(JSON.parse(body), { id: 'mine-1' })
    })

    test('where none came one is made, another for each request', async (t) => {
      const address = await listening(t, await serve({ thing: () => ({ id: currentPassport()?.requestId }) }))
      const answers = [await ask(address, path), await ask(address, path)]
      for (const { headers, body } of answers) {
        assert.match(String(headers['x-request-id']), uuid)
        assert.deepEqual(JSON.parse(body), { id: headers['x-request-id'] })
      }
      assert.notEqual(answers[0]!.headers['x-request-id'], answers[1]!.headers['x-request-id'])
    })

    test('one that should not stand in a log is replaced', async (t) => {
      const address = await listening(t, await serve({ thing: () => ({}) }))
      for (const hostile of ['two words', 'x'.repeat(201), '', ['a', 'b'], 'caf\xe9', '\tx y']) {
        const { status, headers } = await ask(address, path, { 'x-request-id': hostile })
        assert.equal(status, 200)
        assert.match(String(headers['x-request-id']), uuid, `for ${JSON.stringify(hostile)}`)
      }
    })

    test('failures and unknown paths answer with it too', async (t) => {
      const address = await listening(t, await serve({ thing: () => { throw new Error('broken') } }))
      const failed = await ask(address, path, { 'x-request-id': 'mine-2' })
      assert.equal(failed.status, 500)
      assert.equal(failed.headers['x-request-id'], 'mine-2')
      const unknown = await ask(address, '/nowhere', { 'x-request-id': 'mine-3' })
      assert.equal(unknown.status, 404)
      assert.equal(unknown.headers['x-request-id'], 'mine-3')
    })

    test('the passport is there after a body has been parsed', async (t) => {
      const address = await listening(t, await serve({ thing: () => ({}) }))
      const long = 'x'.repeat(50_000)
      const { body } = await ask(address, '/echo', { 'x-request-id': 'mine-4', 'content-type': 'application/json' }, JSON.stringify({ long }))
      assert.deepEqual(JSON.parse(body), { body: { long }, requestId: 'mine-4' })
    })

    test('a call made by the handler carries on what came, whatever it waited for before', async (t) => {
      const { address: next, headers: recorded } = await recorder(t)
      const mesh = meshFor(t, { services: { 'next.test': [next] } })
      const address = await listening(t, await serve({
        thing: async () => {
          await nextTurn()
          await new Promise<void>((resolve) => { setImmediate(() => process.nextTick(resolve)) })
          return { answer: await (await mesh.fetch('http://next.test/')).text() }
        },
      }))
      const carried = {
        'x-request-id': 'mine-5', traceparent, 'tracestate': 'a=1,b=2', 'baggage': 'user=7', 'b3': `${'4b'.repeat(16)}-${'c5'.repeat(8)}-1`,
        'x-amzn-trace-id': 'Root=1-67891233-abcdef012345678912345678;Sampled=1', 'uber-trace-id': '4b:c5:0:1',
      }
      assert.equal((await ask(address, path, { ...carried, 'cookie': 'session=1', 'authorization': 'Bearer 1' })).status, 200)
      const [arrived] = recorded
      assert.deepEqual(Object.fromEntries(Object.keys(carried).map((field) => [field, arrived![field]])), carried)
      assert.equal(arrived!.cookie, undefined)
      assert.equal(arrived!.authorization, undefined)
    })

    test('several fields of one name are one list: a traceparent of two is invalid, and begun anew', async (t) => {
      const { address: next, headers: recorded } = await recorder(t)
      const mesh = meshFor(t, { services: { 'next.test': [next] } })
      const address = await listening(t, await serve({ thing: async () => { await (await mesh.fetch('http://next.test/')).text(); return {} } }))
      await ask(address, path, { traceparent: [traceparent, traceparent], tracestate: ['a=1', 'b=2'] })
      await ask(address, path, { traceparent, tracestate: ['a=1', 'b=2'] })
      assert.match(String(recorded[0]!['traceparent']), /^00-[0-9a-f]{32}-[0-9a-f]{16}-02$/)
      assert.equal(recorded[0]!['tracestate'], undefined)
      assert.equal(recorded[1]!['traceparent'], traceparent)
      assert.equal(String(recorded[1]!['tracestate']).replaceAll(' ', ''), 'a=1,b=2')
    })

    test('what nobody sent is not made up, but for the request id', async (t) => {
      const { address: next, headers: recorded } = await recorder(t)
      const mesh = meshFor(t, { services: { 'next.test': [next] } })
      const address = await listening(t, await serve({ thing: async () => ({ answer: await (await mesh.fetch('http://next.test/')).text() }) }))
      const { headers } = await ask(address, path)
      assert.equal(recorded[0]!['x-request-id'], headers['x-request-id'])
      assert.equal(recorded[0]!['traceparent'], undefined)
    })

    for (const [field, value] of [['grpc-timeout', '2S'], ['x-envoy-expected-rq-timeout-ms', '2000']] as const) {
      test(`a call has what is left of the ${field} that came`, async (t) => {
        const clock = new FakeClock()
        const { address: next, headers: recorded } = await recorder(t)
        const mesh = meshFor(t, { services: { 'next.test': [next] } }, { runtime: { clock } })
        const address = await listening(t, await serve({
          options: { runtime: { clock } },
          thing: async () => {
            const { deadline } = currentPassport()!
            await clock.advance(300)
            const answer = await (await mesh.fetch('http://next.test/')).text()
            return { left: deadline - clock.now(), answer }
          },
        }))
        assert.deepEqual(JSON.parse((await ask(address, path, { [field]: value })).body), { left: 1_700, answer: 'ok' })
        assert.equal(recorded[0]!['x-envoy-expected-rq-timeout-ms'], '1700')
      })
    }

    test('where the deadline has passed the handler still runs, and its calls fail at once', async (t) => {
      const clock = new FakeClock()
      const { address: next, headers: recorded } = await recorder(t)
      const mesh = meshFor(t, { services: { 'next.test': [next] } }, { runtime: { clock } })
      const address = await listening(t, await serve({
        options: { runtime: { clock } },
        thing: () => mesh.fetch('http://next.test/').then(() => ({}), ({ code }: { code: string }) => ({ code })),
      }))
      const { status, body } = await ask(address, path, { 'grpc-timeout': '0m' })
      assert.equal(status, 200)
      assert.deepEqual(JSON.parse(body), { code: 'ENMESH_DEADLINE_EXCEEDED' })
      assert.equal(recorded.length, 0)
    })

    test('work that a request left running makes calls after its deadline, once the response is over', async (t) => {
      const clock = new FakeClock()
      const { address: next, headers: recorded } = await recorder(t)
      const mesh = meshFor(t, { services: { 'next.test': [next] } }, { runtime: { clock } })
      let passport: Passport | undefined
      let refresh: (() => Promise<string>) | undefined
      const address = await listening(t, await serve({
        options: { runtime: { clock } },
        thing: () => {
          passport = currentPassport()
          // As a timer would, in the context of the request.
          refresh = AsyncResource.bind(async () => (await mesh.fetch('http://next.test/')).text())
          return {}
        },
      }))
      await ask(address, path, { 'x-request-id': 'left-1', 'grpc-timeout': '1S' })
      while (passport!.deadline !== Infinity) await nextTurn()
      await clock.advance(2_000)
      assert.equal(await refresh!(), 'ok')
      assert.equal(recorded[0]!['x-request-id'], 'left-1')
    })

    test("with inbound: 'restart' nothing that came is taken over", async (t) => {
      const { address: next, headers: recorded } = await recorder(t)
      const mesh = meshFor(t, { services: { 'next.test': [next] } })
      const address = await listening(t, await serve({
        options: { inbound: 'restart' },
        thing: async () => {
          await (await mesh.fetch('http://next.test/')).text()
          return { deadline: String(currentPassport()!.deadline) }
        },
      }))
      const { headers, body } = await ask(address, path, { traceparent, 'x-request-id': 'theirs', 'baggage': 'admin=1', 'grpc-timeout': '1m' })
      assert.match(String(headers['x-request-id']), uuid)
      assert.deepEqual(JSON.parse(body), { deadline: 'Infinity' })
      const [{ traceparent: trace, baggage, 'x-request-id': id } = {}] = recorded
      assert.deepEqual({ trace, baggage, id }, { trace: undefined, baggage: undefined, id: headers['x-request-id'] })
    })
  })
}
