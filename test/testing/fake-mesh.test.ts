import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test, type TestContext } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { FormData as UndiciFormData, request } from 'undici'
import { MeshError } from '../../src/index.ts'
import {
  connectFails, FakeClock, fakeMesh, neverAnswers, seededRandom,
  type FakeAnswer, type FakeMesh, type FakeMeshOptions, type FakeService,
} from '../../src/testing/index.ts'

const pricing = 'pricing.shop.local'
const url = `http://${pricing}/price/42`

/** A mesh that is closed after the test, and must have left nothing behind by then. */
const meshOf = (t: TestContext, services: Record<string, FakeService>, options: FakeMeshOptions = {}): FakeMesh => {
  const mesh = fakeMesh(services, options)
  t.after(async () => {
    await mesh.close()
    assert.equal(mesh.status().calls, 0)
    for (const { pending } of Object.values(mesh.status().clusters)) assert.equal(pending, 0)
    if (options.clock instanceof FakeClock) assert.equal(options.clock.pending, 0)
  })
  return mesh
}

const one = (t: TestContext, answer: FakeAnswer, options?: FakeMeshOptions): FakeMesh => meshOf(t, { [pricing]: answer }, options)

const failure = async (promise: Promise<unknown>): Promise<MeshError> => {
  const error = await promise.then(() => assert.fail('it did not fail'), (error: unknown) => error)
  assert.ok(error instanceof MeshError, String(error))
  return error
}

const turns = async (until: () => boolean): Promise<void> => {
  while (!until()) await nextTurn()
}

const chunks = (...texts: readonly string[]): ReadableStream<Uint8Array> => ReadableStream.from(texts.map((text) => Buffer.from(text)))

describe('what a service of a fake mesh gets', () => {
  test('is the request as a server would see it, and where it arrived', async (t) => {
    const mesh = one(t, async (request, attempt) => Response.json({
      method: request.method, url: request.url, host: request.headers.get('host'), tenant: request.headers.get('x-tenant'),
      body: await request.text(), attempt,
    }))
    const fetch: typeof globalThis.fetch = mesh.fetch
    const response = await fetch(`${url}?currency=EUR`, { method: 'PUT', headers: { 'X-Tenant': 'acme' }, body: 'tea' })
    assert.deepEqual(await response.json(), {
      method: 'PUT', url: `${url}?currency=EUR`, host: pricing, tenant: 'acme', body: 'tea',
      attempt: { service: pricing, cluster: pricing, endpoint: '10.0.0.1:80', number: 1 },
    })
  })

  test('has the form, the blob and the content type that the caller sent', async (t) => {
    const mesh = one(t, async (request) => Response.json([
      request.headers.get('content-type')?.split(';')[0], [...await request.formData()].map(([name]) => name),
    ]))
    const form = new FormData()
    form.set('sku', 'teapot')
    form.set('picture', new Blob(['x'.repeat(200_000)]))
    assert.deepEqual(await (await mesh.fetch(url, { method: 'PUT', body: form })).json(), ['multipart/form-data', ['sku', 'picture']])
    const theirs = new UndiciFormData()
    theirs.set('sku', 'teapot')
    const { body } = await request(url, { method: 'PUT', body: theirs, dispatcher: mesh.dispatcher })
    assert.deepEqual(await body.json(), ['multipart/form-data', ['sku']])
    assert.equal((await mesh.requests()[0]!.bytes()).byteLength > 200_000, true)
  })

  test('comes through undici as well, and so does its answer', async (t) => {
    const mesh = one(t, async (request) => new Response(`${request.method} ${await request.text()}`, { status: 201, headers: { 'x-a': '1' } }))
    const { statusCode, headers, body } = await request(url, { method: 'POST', body: 'tea', dispatcher: mesh.dispatcher })
    assert.deepEqual([statusCode, headers['x-a'], await body.text()], [201, '1', 'POST tea'])
  })

  test('cannot be a GET with a body, which no Request can be', async (t) => {
    const mesh = one(t, () => new Response())
    await assert.rejects(request(url, { method: 'GET', body: 'tea', dispatcher: mesh.dispatcher }), /there is no WHATWG Request for it/)
    assert.deepEqual(mesh.requests(), [])
  })

  test('streams both ways while each side still has more to say', async (t) => {
    const mesh = one(t, (request) => new Response(request.body))
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
    const writer = writable.getWriter()
    const sent = mesh.fetch(url, { method: 'PUT', body: readable, duplex: 'half' } as RequestInit)
    const reader = (await sent).body!.getReader()
    for (const word of ['one', 'two', 'three']) {
      await writer.write(Buffer.from(word))
      assert.equal(Buffer.from((await reader.read()).value!).toString(), word)
    }
    await writer.close()
    assert.equal((await reader.read()).done, true)
    assert.equal(await mesh.requests(pricing)[0]!.text(), 'onetwothree')
  })

  test('aborts its signal when the caller gives up, with the reason', async (t) => {
    const caller = new AbortController()
    const seen: unknown[] = []
    const mesh = one(t, async ({ signal }) => {
      queueMicrotask(() => caller.abort(new Error('changed my mind')))
      await once(signal, 'abort')
      seen.push(signal.reason)
      return new Response('too late')
    })
    await assert.rejects(mesh.fetch(url, { signal: caller.signal }), /changed my mind/)
    await turns(() => seen.length > 0)
    assert.match(String(seen[0]), /changed my mind/)
  })

  test('does not abort its signal when all is well', async (t) => {
    let signal: AbortSignal | undefined
    const mesh = one(t, (request) => {
      signal = request.signal
      return new Response('fine')
    })
    await (await mesh.fetch(url)).text()
    await nextTurn()
    assert.equal(signal?.aborted, false)
  })

  test('breaks off when the source of the body fails, and the caller gets that failure as it is', async (t) => {
    for (const failure of [new Error('the disk is gone'), new MeshError('ENMESH_TLS', 'of another mesh')]) {
      const mesh = one(t, async (request) => new Response(await request.text().catch(() => 'it broke off')))
      const source = async function* (): AsyncGenerator<Buffer> {
        yield Buffer.from('half')
        throw failure
      }
      await assert.rejects(request(url, { method: 'PUT', body: source() as never, dispatcher: mesh.dispatcher }), (error) => error === failure)
      await assert.rejects(mesh.requests()[0]!.text(), (error) => error === failure)
    }
  })

  test('comes whole when its length is known, however slowly, and although the service has answered', async (t) => {
    const mesh = one(t, () => new Response('thanks'))
    const source = async function* (): AsyncGenerator<Buffer> {
      for (const letter of 'tea') {
        for (let turn = 0; turn < 20; turn++) await nextTurn()
        yield Buffer.from(letter)
      }
    }
    const { body } = await request(url, {
      method: 'PUT', headers: { 'content-length': '3' }, body: source() as never, dispatcher: mesh.dispatcher,
    })
    assert.equal(await body.text(), 'thanks')
    assert.equal(await mesh.requests()[0]!.text(), 'tea')
  })

  test('is cut when the service has answered and the caller has no more to send for now', async (t) => {
    const mesh = one(t, () => new Response('too large', { status: 413 }))
    const endless = new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from('begun')) })
    const response = await mesh.fetch(url, { method: 'PUT', body: endless, duplex: 'half' } as RequestInit)
    assert.deepEqual([response.status, await response.text()], [413, 'too large'])
    await assert.rejects(mesh.requests()[0]!.text(), /over before its body had come/)
  })
})

describe('what a service of a fake mesh answers', () => {
  test('reaches the caller whole: status, its text, headers, each cookie, the body', async (t) => {
    const headers = new Headers({ 'x-a': '1' })
    headers.append('set-cookie', 'a=1')
    headers.append('set-cookie', 'b=2')
    const mesh = one(t, () => new Response(chunks('4', '2'), { status: 203, statusText: 'Hearsay', headers }))
    const response = await mesh.fetch(url)
    assert.deepEqual([response.status, response.statusText, response.headers.get('x-a')], [203, 'Hearsay', '1'])
    assert.deepEqual(response.headers.getSetCookie(), ['a=1', 'b=2'])
    assert.equal(await response.text(), '42')
    const raw = await request(url, { dispatcher: mesh.dispatcher })
    assert.deepEqual(raw.headers['set-cookie'], ['a=1', 'b=2'])
    await raw.body.dump()
  })

  for (const status of [204, 205, 304]) {
    test(`may be a ${status}, which has no body`, async (t) => {
      const response = await one(t, () => new Response(null, { status })).fetch(url)
      assert.deepEqual([response.status, await response.text()], [status, ''])
    })
  }

  test('has no body for a HEAD, whatever the service gives', async (t) => {
    let cancelled = false
    const mesh = one(t, () => new Response(new ReadableStream({ cancel: () => { cancelled = true } }), { headers: { 'x-a': '1' } }))
    const response = await mesh.fetch(url, { method: 'HEAD' })
    assert.deepEqual([response.headers.get('x-a'), await response.text(), cancelled], ['1', '', true])
  })

  test('is read no further than a real one would be while nobody takes it, and to its end once somebody does', async (t) => {
    let pulled = 0
    const mesh = one(t, () => new Response(new ReadableStream({
      pull: (controller) => {
        if (pulled++ < 100) controller.enqueue(new Uint8Array(16 * 1024))
        else controller.close()
      },
    })))
    const response = await mesh.fetch(url)
    for (let turn = 0; turn < 100; turn++) await nextTurn()
    assert.ok(pulled < 20, `${pulled} chunks were read`)
    assert.equal((await response.arrayBuffer()).byteLength, 100 * 16 * 1024)
  })

  test('is cancelled where the caller cancels it', async (t) => {
    let cancelled = false
    const mesh = one(t, () => new Response(new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(16 * 1024)),
      cancel: () => { cancelled = true },
    })))
    await (await mesh.fetch(url)).body!.cancel()
    await turns(() => cancelled)
  })

  test('may be left unread', async (t) => {
    const clock = new FakeClock()
    const mesh = one(t, () => new Response('x'.repeat(1_000)), { clock })
    for (let call = 0; call < 10; call++) assert.equal((await mesh.fetch(url)).status, 200)
    await turns(() => mesh.status().calls === 0)
    assert.equal(clock.pending, 0)
  })

  test('is followed where it redirects to, also to another service', async (t) => {
    const mesh = meshOf(t, {
      'old.local': () => Response.redirect(url, 307),
      [pricing]: async (request) => new Response(await request.text()),
    })
    const response = await mesh.fetch('http://old.local/', { method: 'POST', body: 'tea' })
    assert.deepEqual([response.redirected, response.url, await response.text()], [true, url, 'tea'])
    const { service, redirects } = mesh.trail(response)!
    assert.deepEqual([service, redirects.map(({ service }) => service)], [pricing, ['old.local']])
  })

  test('is counted in the trail, attempt by attempt', async (t) => {
    const mesh = one(t, (_, { number }) => new Response(null, { status: number < 3 ? 503 : 200 }))
    const response = await mesh.fetch(url)
    await response.text()
    assert.deepEqual(mesh.trail(response)?.attempts.map(({ status, ending }) => [status, ending]), [[503, 'complete'], [503, 'complete'], [200, 'complete']])
  })

  test('is kept apart from those to a hundred calls at the same time', async (t) => {
    const mesh = one(t, async (request) => {
      await nextTurn()
      return new Response(chunks(...new URL(request.url).pathname))
    })
    const paths = Array.from({ length: 100 }, (_, call) => `/${call}`)
    const answers = await Promise.all(paths.map(async (path) => (await mesh.fetch(`http://${pricing}${path}`)).text()))
    assert.deepEqual(answers, paths)
    assert.deepEqual(mesh.requests().map(({ url }) => new URL(url).pathname).sort(), paths.sort())
  })
})

describe('a service of a fake mesh that fails', () => {
  test('breaks the connection by throwing, and says why', async (t) => {
    const mesh = one(t, () => { throw new Error('out of tea') })
    const { code, message, attempts } = await failure(mesh.fetch(url, { method: 'POST', body: 'tea' }))
    assert.equal(code, 'ENMESH_CONNECTION_RESET')
    assert.match(message, /out of tea/)
    assert.equal(attempts.length, 1, 'a POST that may have arrived is not sent again')
    assert.equal(await mesh.requests()[0]!.text(), 'tea', 'what was sent before is there')
  })

  test('breaks it by rejecting, with whatever it likes, or with Response.error()', async (t) => {
    const answers: readonly FakeAnswer[] = [async () => { throw new Error('no') }, async () => { throw 'a word' as unknown }, () => Response.error()]
    for (const answer of answers) assert.equal((await failure(one(t, answer).fetch(url))).code, 'ENMESH_CONNECTION_RESET')
  })

  test('fails with the code of the MeshError that it throws', async (t) => {
    const thrown = new MeshError('ENMESH_TLS', 'the certificate has expired')
    const error = await failure(one(t, () => { throw thrown }).fetch(url))
    assert.deepEqual([error.code, error.service, error.cause], ['ENMESH_TLS', pricing, thrown])
    assert.match(error.message, /GET pricing\.shop\.local\/price\/42 at 10\.0\.0\.1:80: the certificate has expired/)
  })

  test('breaks its body off with what the stream fails with', async (t) => {
    const mesh = one(t, () => new Response(ReadableStream.from((async function* () {
      yield Buffer.from('half')
      throw new Error('the disk is gone')
    })())))
    const response = await mesh.fetch(url)
    const error = await response.text().then(() => assert.fail(), (error: unknown) => error as Error)
    assert.equal((error.cause as MeshError).code, 'ENMESH_CONNECTION_RESET')
    assert.match((error.cause as MeshError).message, /while its body was coming \(the disk is gone\)/)
  })

  test('refuses connections: then nothing was sent, and even a POST goes to the next endpoint', async (t) => {
    const mesh = meshOf(t, { [pricing]: [connectFails, async (request) => new Response(await request.text())] })
    const response = await mesh.fetch(url, { method: 'POST', body: 'tea' })
    assert.equal(await response.text(), 'tea')
    assert.deepEqual(mesh.requests(pricing).map(({ endpoint, number }) => [endpoint, number]), [['10.0.0.1:80', 1], ['10.0.0.2:80', 2]])
  })

  test('is tried on each endpoint before any is tried again', async (t) => {
    const mesh = meshOf(t, { [pricing]: [connectFails, () => new Response(null, { status: 503 }), () => new Response('third')] })
    for (let call = 0; call < 6; call++) assert.equal(await (await mesh.fetch(url)).text(), 'third')
  })

  test('opens the breaker as a real one does', async (t) => {
    const mesh = one(t, connectFails)
    for (let call = 0; call < 20; call++) await failure(mesh.fetch(url))
    assert.equal((await failure(mesh.fetch(url))).code, 'ENMESH_CIRCUIT_OPEN')
  })

  test("rejects as the platform does with errors: 'fetch'", async (t) => {
    const mesh = one(t, connectFails, { errors: 'fetch' })
    const error = await mesh.fetch(url).then(() => assert.fail(), (error: unknown) => error as Error)
    assert.deepEqual([error.name, error.message, (error.cause as MeshError).code], ['TypeError', 'fetch failed', 'ENMESH_CONNECT_FAILED'])
  })

  test('is denied when it is not among the services', async (t) => {
    const { code, message } = await failure(one(t, () => new Response()).fetch('http://tax.shop.local/'))
    assert.equal(code, 'ENMESH_EGRESS_DENIED')
    assert.match(message, /tax\.shop\.local/)
  })
})

describe('a mistake in a fake service', () => {
  const used = new Response('once')
  const text = (): Response => new Response(ReadableStream.from(['text']) as ReadableStream<never>)
  const mistakes: readonly (readonly [string, FakeAnswer, RegExp])[] = [
    ['no answer', () => undefined as never, /returned undefined: return a Response/],
    ['a text for an answer', () => 'cheap' as never, /returned cheap: return a Response/],
    ['one answer for all', () => used, /a Response whose body was read before: make a new one/],
  ]
  for (const [what, answer, message] of mistakes) {
    test(`is told for what it is, and not tried again: ${what}`, async (t) => {
      const mesh = one(t, answer)
      await mesh.fetch(url).then((first) => first.text(), () => {})
      const error = await mesh.fetch(url).then(() => assert.fail(), (error: unknown) => error as Error)
      assert.match((error.cause as Error).message, message)
      assert.equal(mesh.requests().length, 2)
    })
  }

  test('is told for what it is in the body: text in place of bytes', async (t) => {
    const error = await (await one(t, text).fetch(url)).text().then(() => assert.fail(), (error: unknown) => error as Error)
    assert.match((error.cause as Error).message, /does not consist of bytes/)
  })
})

describe('time in a fake mesh', () => {
  test('is not spent on back-offs, even on a clock that nobody moves', async (t) => {
    const clock = new FakeClock()
    const mesh = one(t, (_, { number }) => new Response('tea', { status: number < 3 ? 503 : 200 }), { clock })
    assert.equal(await (await mesh.fetch(url)).text(), 'tea')
    assert.equal(clock.now(), new FakeClock().now())
  })

  test('is spent on them with chance of its own', async (t) => {
    const clock = new FakeClock()
    const mesh = one(t, async (_, { number }) => {
      if (number === 2) return new Response('tea')
      return new Response(null, { status: 503 })
    }, { clock, random: seededRandom(1) })
    const answer = mesh.fetch(url)
    while (mesh.requests().length < 2) await clock.advance(1)
    assert.equal((await answer).status, 200)
    assert.ok(clock.now() > new FakeClock().now())
  })

  test('passes as a service takes it: a deadline', async (t) => {
    const clock = new FakeClock()
    let reason: unknown
    const mesh = meshOf(t, {
      [pricing]: {
        timeout: '2s',
        answer: async ({ signal }) => {
          await clock.advance(3_000)
          reason = signal.reason
          return new Response('late')
        },
      },
    }, { clock })
    const error = await failure(mesh.fetch(url))
    assert.equal(error.code, 'ENMESH_DEADLINE_EXCEEDED')
    await turns(() => reason !== undefined)
    assert.equal(reason, error)
  })

  test('passes as a service takes it: an attempt timeout, and the retry elsewhere', async (t) => {
    const clock = new FakeClock()
    const slow: FakeAnswer = async () => {
      await clock.advance(5_000)
      return new Response('late')
    }
    const mesh = meshOf(t, { [pricing]: { attemptTimeout: '1s', answer: [slow, () => new Response('quick')] } }, { clock })
    const response = await mesh.fetch(url)
    assert.equal(await response.text(), 'quick')
    assert.deepEqual(mesh.trail(response)?.attempts.map(({ ending }) => ending), ['ENMESH_ATTEMPT_TIMEOUT', 'complete'])
  })

  test('passes for two slow services at once, and never goes back', async () => {
    const clock = new FakeClock()
    const begun = clock.now()
    clock.after(100, () => {})
    await Promise.all([clock.advance(200), clock.advance(1_000)])
    assert.equal(clock.now() - begun, 1_000)
  })

  test('runs out when a service is silent for longer than its idle timeout', async (t) => {
    const clock = new FakeClock()
    const mesh = meshOf(t, {
      [pricing]: { timeout: 0, idleTimeout: '30s', retry: false, answer: async () => { await clock.advance(31_000); return new Response() } },
    }, { clock })
    const { code, message } = await failure(mesh.fetch(url))
    assert.equal(code, 'ENMESH_ATTEMPT_TIMEOUT')
    assert.match(message, /idleTimeout/)
  })

  test('is up for a service that never answers when the caller says so', async (t) => {
    const mesh = one(t, neverAnswers)
    assert.equal((await failure(mesh.fetch(url, { mesh: { timeout: 1 } }))).code, 'ENMESH_DEADLINE_EXCEEDED')
  })
})

describe('closing a fake mesh', () => {
  test('ends what is under way at once, on a clock that nobody moves', async (t) => {
    const clock = new FakeClock()
    const mesh = one(t, neverAnswers, { clock })
    const answer = failure(mesh.fetch(url))
    await turns(() => mesh.requests().length === 1)
    await mesh.close()
    assert.equal((await answer).code, 'ENMESH_CLOSED')
    assert.equal((await failure(mesh.fetch(url))).code, 'ENMESH_CLOSED')
  })
})

describe('the configuration of a fake mesh', () => {
  const config = {
    services: {
      'Pricing.Shop.Local.': {
        routes: [
          { match: { headers: { 'x-tenant': 'acme' } }, to: 'v2' },
          { to: { v1: 90, v2: 10 }, retry: { attempts: 2 } },
        ],
      },
      'tax.shop.local': ['10.0.0.9:8080'],
    },
    clusters: {
      v1: { registry: { type: 'static', endpoints: ['10.1.0.1:8080'] } },
      v2: { registry: { type: 'dns', hostname: 'pricing-v2.invalid', port: 8080 } },
    },
    egress: 'allow',
  } as const
  const where: FakeAnswer = (_, { cluster, endpoint }) => new Response(`${cluster} ${endpoint}`)

  test('may be the one of production: routes and clusters are its own, and registries are not asked', async (t) => {
    const mesh = one(t, where, { config })
    const to = async (headers: Record<string, string>): Promise<string> => (await mesh.fetch(url, { headers })).text()
    assert.equal(await to({}), 'v1 10.1.0.1:8080')
    assert.match(await to({ 'x-tenant': 'acme' }), /^v2 10\.0\.0\.[12]:80$/)
    assert.equal(mesh.requests(pricing).length, 2)
    assert.equal((await failure(mesh.fetch('http://tax.shop.local/'))).code, 'ENMESH_EGRESS_DENIED')
  })

  test('splits by weight with chance of its own', async (t) => {
    const mesh = one(t, where, { config, random: seededRandom(7) })
    for (let call = 0; call < 200; call++) await (await mesh.fetch(url)).text()
    const second = mesh.requests().filter(({ cluster }) => cluster === 'v2').length
    assert.ok(second > 5 && second < 40, `${second} of 200`)
  })

  test('may be changed as that of any mesh', async (t) => {
    const mesh = one(t, where, { config })
    mesh.update({ ...config, services: { [pricing]: { cluster: 'v2' } } })
    assert.match(await (await mesh.fetch(url)).text(), /^v2 10\.0\.0\./)
  })

  test('may hold options of the cluster that stands behind a function', async (t) => {
    const cluster = { registry: { type: 'static', endpoints: ['10.0.0.1:80'] }, breaker: false } as const
    const mesh = one(t, connectFails, { config: { clusters: { [pricing]: cluster } } })
    for (let call = 0; call < 30; call++) assert.equal((await failure(mesh.fetch(url))).code, 'ENMESH_CONNECT_FAILED')
  })

  test('is refused where it says twice what stands behind a service', () => {
    for (const service of [[where, where], { answer: where, timeout: '1s' }] satisfies FakeService[]) {
      assert.throws(() => fakeMesh({ [pricing]: service }, { config }), /fakeMesh has 'pricing\.shop\.local' in its configuration too/)
    }
  })

  test('is refused where a service is none, or its policy', () => {
    for (const service of [undefined, null, 'http://x', [], [where, 7], { answer: [] }]) {
      assert.throws(() => fakeMesh({ [pricing]: service as never }), /fakeMesh cannot use the service 'pricing\.shop\.local'/)
    }
    assert.throws(() => fakeMesh({ [pricing]: { answer: where, timeout: 'soon' } }), { code: 'ENMESH_CONFIG_INVALID' })
  })
})

describe('the requests that a fake mesh keeps', () => {
  test('are those of one service, in order, with bodies that can be read again and again', async (t) => {
    const mesh = meshOf(t, { [pricing]: async (request) => new Response(await request.text()), 'tax.local': () => new Response() })
    await mesh.fetch(url, { method: 'PUT', body: '{"sku":"teapot"}' })
    await mesh.fetch('http://tax.local/', { method: 'PUT', headers: { 'x-a': '1' }, body: chunks('a', 'b', 'c'), duplex: 'half' } as RequestInit)
    const [first, ...more] = mesh.requests(pricing)
    assert.ok(first && more.length === 0)
    assert.deepEqual([first.method, first.url, await first.json(), await first.text()], ['PUT', url, { sku: 'teapot' }, '{"sku":"teapot"}'])
    const [, second] = mesh.requests()
    assert.deepEqual([second!.headers.get('x-a'), await second!.text()], ['1', 'abc'], 'also where the service reads nothing')
  })

  test('are none for a name that is no service', (t) => {
    const mesh = one(t, () => new Response())
    assert.deepEqual(mesh.requests(pricing), [])
    assert.throws(() => mesh.requests('pricing'), /fakeMesh has no service 'pricing': it has pricing\.shop\.local/)
  })
})

test('an option that fakeMesh does not have is refused in its own name', () => {
  assert.throws(() => fakeMesh({}, { cloc: new FakeClock() } as object), /fakeMesh has no option 'cloc': did you mean 'clock'\?/)
})

test('an assertion that fails in a service fails the test at once, and is not tried again', async () => {
  const mesh = fakeMesh({ 'a.local': [() => assert.fail('wrong header'), () => new Response('never')] })
  await assert.rejects(mesh.fetch('http://a.local/'), ({ cause }) => cause instanceof assert.AssertionError && cause.message === 'wrong header')
  assert.equal(mesh.requests().length, 1)
  await mesh.close()
})
