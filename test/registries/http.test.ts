import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { ask, askLines, Servers, type Question, type RefusedError } from '../../src/registries/http.ts'
import { FakeClock, settle } from '../../src/testing/index.ts'
import { authority } from '../support/authority.ts'
import { runNode } from '../support/child.ts'
import { json, RegistryServer, status, type Asked } from '../support/registry-server.ts'
import { readServerTls } from '../../src/registries/server-tls.ts'

const serving = async (t: TestContext, answer: (asked: Asked) => void, tls?: object) => {
  const server = await RegistryServer.start(answer, tls)
  t.after(() => server.close())
  const clock = new FakeClock()
  const question = (more: Partial<Question> = {}): Question =>
    ({ url: `${server.url}/v1/a`, signal: new AbortController().signal, clock, timeout: 5_000, ...more })
  return { server, clock, question }
}

const all = async (stream: AsyncIterable<unknown>): Promise<unknown[]> => {
  const found: unknown[] = []
  for await (const one of stream) found.push(one)
  return found
}

describe('asking a server of a registry', () => {
  test('sends a query, headers and JSON, and reads JSON', async (t) => {
    const { server, question, clock } = await serving(t, (asked) => json(asked, { said: asked.body }, { 'x-index': '7' }))
    const answer = await ask(question({ query: new URLSearchParams({ a: 'ü&' }), headers: { 'x-token': 't' }, body: { key: 'ä' } }))
    assert.deepEqual([answer.status, answer.value, answer.header('x-index'), answer.header('x-none')], [200, { said: '{"key":"ä"}' }, '7', undefined])
    const { method, headers } = await server.asked.take()
    assert.deepEqual([method, headers['content-type'], headers['x-token'], headers.accept], ['POST', 'application/json', 't', 'application/json'])
    assert.deepEqual([server.log, clock.pending], [['/v1/a?a=%C3%BC%26'], 0])
  })

  test('goes where it is sent, whatever the application has done to fetch and to the global dispatcher', async (t) => {
    const { question } = await serving(t, (asked) => json(asked, asked.headers))
    const replaced: [PropertyKey, unknown][] = [
      ['fetch', () => { throw new Error('went through fetch') }],
      ...[1, 2].map((version): [PropertyKey, unknown] => [Symbol.for(`undici.globalDispatcher.${version}`), {
        dispatch: () => { throw new Error('went through the dispatcher') },
      }]),
    ]
    for (const [name, value] of replaced) {
      const before: unknown = Reflect.get(globalThis, name)
      Reflect.set(globalThis, name, value)
      t.after(() => Reflect.set(globalThis, name, before))
    }
    const { value } = await ask(question())
    assert.deepEqual(Object.keys(value as object).sort(), ['accept', 'connection', 'host'])
  })

  test('names host and path when refused, and no query, header or line break', async (t) => {
    const { question } = await serving(t, (asked) => status(asked, 403, 'not\r\nallowed \u001b[31mhere'))
    await assert.rejects(ask(question({ query: new URLSearchParams({ hidden: '1' }), headers: { authorization: 'Bearer s3cret' } })),
      (error: RefusedError) => error.status === 403 && /^127\.0\.0\.1:\d+\/v1\/a answered 403: not allowed \[31mhere$/.test(error.message))
  })

  test('keeps what it was sent as a secret out of a refusal that repeats it', async (t) => {
    const { question } = await serving(t, (asked) => status(asked, 401, `unknown: ${asked.headers.authorization!.slice(7)}`))
    await assert.rejects(ask(question({ headers: { authorization: 'Bearer s3cret' } })), { message: /answered 401$/ })
  })

  test('so it does where the refusal has decoded or encoded it', async (t) => {
    const basic = `Basic ${Buffer.from('user:pass-word').toString('base64')}`
    for (const [authorization, said] of [[basic, 'unknown: user:pass-word'], [basic, 'the password of user is not pass-word'], ['Bearer s3+cret/', 'token=s3%2Bcret%2F']] as const) {
      const { question } = await serving(t, (asked) => status(asked, 401, said))
      await assert.rejects(ask(question({ headers: { authorization } })), { message: /answered 401$/ })
    }
  })

  test('gives up when its time is over, when its signal is aborted, and before it began', async (t) => {
    const { server, clock, question } = await serving(t, ({ response }) => response.writeHead(200).write('['))
    const late = assert.rejects(ask(question()), { message: /did not answer within 5000 ms$/ })
    await server.asked.take()
    await clock.advance(5_000)
    await late
    const abort = new AbortController()
    const ended = assert.rejects(ask(question({ signal: abort.signal })), { message: 'enough' })
    const { over } = await server.asked.take()
    abort.abort(new Error('enough'))
    await Promise.all([ended, over])
    await assert.rejects(ask(question({ signal: abort.signal })), { message: 'enough' })
    assert.deepEqual([clock.pending, server.log.length], [0, 2])
  })

  test('trusts an authority from a file and shows a certificate', { skip: authority() === undefined && 'openssl is missing' }, async (t) => {
    const { directory, root, server, client } = authority()!
    const { question } = await serving(t, (asked) => json(asked, 'welcome'), { ...server, ca: root, requestCert: true, rejectUnauthorized: true })
    const fileOf = (name: string, pem: string): { file: string } => {
      writeFileSync(join(directory, name), pem)
      return { file: join(directory, name) }
    }
    const ca = fileOf('http-ca.pem', root)
    const shown = { cert: fileOf('http-client.pem', client.cert), key: fileOf('http-client.key', client.key) }
    assert.equal((await ask(question({ tls: await readServerTls({ ca, ...shown }) }))).value, 'welcome')
    await assert.rejects(ask(question({ tls: await readServerTls({ ca }) })), { message: /(cannot be reached|broke off its answer) \((ERR_SSL|ECONNRESET|EPIPE)/ })
    await assert.rejects(ask(question()), { message: /cannot be reached \((UNABLE_TO|SELF_SIGNED)\w+\): the server's certificate is from nobody who is trusted: name its authority by `serverTls.ca`, or in the kubeconfig$/ })
    await assert.rejects(ask(question({ tls: await readServerTls({ ca, servername: 'elsewhere.test' }) })), { message: /cannot be reached \(ERR_TLS_CERT_ALTNAME_INVALID\): .*`serverTls.servername`$/ })
    await assert.rejects(readServerTls({ ca: { file: join(directory, 'none') } }), { message: /none' cannot be read \(ENOENT\)/ })
    await assert.rejects(readServerTls({ ca: shown.key }), { message: /http-client\.key' has no '-----BEGIN CERTIFICATE-----': write it as PEM$/ })
    await assert.rejects(readServerTls({ cert: shown.cert, key: shown.cert }), { message: /http-client\.pem' has no '-----BEGIN PRIVATE KEY-----': write it as PEM$/ })
    const plain = await serving(t, (asked) => status(asked, 200, '{}'))
    await assert.rejects(ask(plain.question({ url: plain.server.url.replace('http', 'https') })), { message: /cannot be reached \((EPROTO|ERR_SSL_\w+)\): TLS could not be agreed on: check that the port speaks TLS/ })
  })

  test('keeps no process alive for news, but for a look, and leaves the global dispatcher alone', async (t) => {
    const { server } = await serving(t, ({ response, query }) => { if (!query.has('patient')) response.end('{}') })
    const { code, output } = await runNode(['--input-type=module-typescript', '--eval', `
      const { ask } = await import('./src/registries/http.ts')
      const { systemClock: clock } = await import('./src/runtime/clock.ts')
      const question = { url: '${server.url}/', signal: new AbortController().signal, clock, timeout: 60_000 }
      console.log((await ask(question)).value, Symbol.for('undici.globalDispatcher.1') in globalThis)
      void ask({ ...question, query: new URLSearchParams('patient'), patient: true })
    `])
    assert.deepEqual([code, output.trim()], [0, '{} false'])
  })
})

describe('a stream of lines', () => {
  const values = [{ a: 'ü€😀' }, { b: 'x'.repeat(500) }, [1], 'end']
  const bytes = Buffer.from(`${values.map((value) => JSON.stringify(value)).join('\n')}\n\n`)

  for (const size of [1, 2, 3, 7, 64, 10_000]) {
    test(`is read the same in pieces of ${size} bytes`, async (t) => {
      const { question } = await serving(t, async ({ response }) => {
        response.writeHead(200)
        response.socket!.setNoDelay(true)
        for (let at = 0; at < bytes.length; at += size) await new Promise((written) => response.write(bytes.subarray(at, at + size), written))
        response.end()
      })
      assert.deepEqual(await all(askLines(question(), 60_000)), values)
    })
  }

  test('that ends in the middle of a line, breaks off or is no JSON is a failure', async (t) => {
    const answers = [(asked: Asked) => status(asked, 200, '{"a":1}\n{"b"'), (asked: Asked) => status(asked, 200, '{"a":1}\nno\n'), ({ response }: Asked) => {
      response.writeHead(200)
      response.write('{"a":1}\n', () => response.destroy())
    }]
    const { question } = await serving(t, (asked) => answers.shift()!(asked))
    for (const message of [/in the middle of a line$/, /is not JSON/, /broke off its answer \(ECONNRESET\)$/]) {
      const found: unknown[] = []
      await assert.rejects((async () => { for await (const one of askLines(question(), 60_000)) found.push(one) })(), { message })
      assert.deepEqual(found, [{ a: 1 }])
    }
  })

  test('ends without a fault after the longest time, and hangs up when it is left', async (t) => {
    const { server, clock, question } = await serving(t, ({ response }) => response.writeHead(200).write('1\n2'))
    const stream = askLines(question({ timeout: 1_000 }), 60_000)
    assert.deepEqual(await stream.next(), { value: 1, done: false })
    const next = stream.next()
    await clock.advance(59_999)
    await settle()
    assert.equal(server.connections, 1)
    await clock.advance(1)
    assert.deepEqual(await next, { value: undefined, done: true })
    const left = askLines(question(), 60_000)
    await left.next()
    await server.asked.take()
    const { over } = await server.asked.take()
    await left.return(undefined)
    await over
    assert.equal(clock.pending, 0)
  })

  test('may lack the end of its last line', async (t) => {
    const { question } = await serving(t, (asked) => status(asked, 200, '{"a":1}\n{"error":2}'))
    assert.deepEqual(await all(askLines(question(), 60_000)), [{ a: 1 }, { error: 2 }])
  })

  test('with a status that is expected says just that', async (t) => {
    const { question } = await serving(t, (asked) => status(asked, 410, 'gone'))
    const [one, ...more] = await all(askLines(question({ also: [410] }), 60_000))
    assert.deepEqual([(one as { status: number }).status, more], [410, []])
    await assert.rejects(all(askLines(question(), 60_000)), { status: 410 })
  })
})

test('servers are asked in turn, beginning with the one that answered last', async () => {
  const servers = new Servers(['a', 'b', 'c'])
  const { signal } = new AbortController()
  const asked: string[] = []
  const only = (...good: string[]) => async (url: string): Promise<string> => {
    asked.push(url)
    if (!good.includes(url)) throw new Error(`${url} is down`)
    return url
  }
  assert.equal(await servers.ask(signal, only('b')), 'b')
  assert.equal(await servers.ask(signal, only('a', 'b')), 'b')
  servers.next()
  assert.equal(await servers.ask(signal, only('a')), 'a')
  await assert.rejects(servers.ask(signal, only()), { message: 'a is down; b is down; c is down' })
  assert.equal(asked.join(''), 'abbcaabc')
})
