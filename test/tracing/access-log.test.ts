import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { createMesh, type MeshInput } from '../../src/index.ts'
import { FakeClock } from '../../src/testing/index.ts'
import { accessLogConfig } from '../../src/tracing/access-log/config.ts'
import { LogFile } from '../../src/tracing/access-log/file.ts'
import { startTime } from '../../src/tracing/access-log/start-time.ts'
import { bodyOf, refused, resets, says } from '../scenarios/support/upstream.ts'
import { rejection, story, turnsUntil } from '../scenarios/support/story.ts'

type AccessLog = NonNullable<NonNullable<MeshInput['telemetry']>['accessLog']>

const fileOf = (t: TestContext): string => {
  const directory = mkdtempSync(join(tmpdir(), 'enmesh-log-'))
  t.after(() => rmSync(directory, { recursive: true }))
  return join(directory, 'access.log')
}

const linesOf = (path: string): readonly string[] => readFileSync(path, 'utf8').split('\n').slice(0, -1)

type Written = Pick<AccessLog, 'format' | 'json'>

/** What is written of what a test does with a mesh whose only service is at an address. */
const written = async (
  t: TestContext, address: string, log: Written, use: (ask: (path: string, init?: RequestInit) => Promise<Response>) => Promise<unknown>, route: object = {},
): Promise<readonly string[]> => {
  const path = fileOf(t)
  const mesh = story(t).mesh({
    services: { 'a.local': { routes: [{ name: 'all', to: 'a', retry: false, ...route }] } },
    clusters: { a: { registry: { type: 'static', endpoints: [address] } } },
    telemetry: { accessLog: { path, ...log } },
  })
  await use((path, init) => mesh.fetch(`http://a.local${path}`, init))
  await mesh.close()
  return linesOf(path)
}

test("writes Envoy's own line where nothing is said of it", async (t) => {
  const server = await story(t).upstream(says('well'))
  const [line] = await written(t, server.address, {}, async (ask) => (await ask('/price?x=1', { headers: { 'user-agent': 'shop/1', 'x-request-id': 'id-1' } })).text())
  const time = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z'
  assert.match(line!, new RegExp(`^\\[${time}\\] "GET /price\\?x=1 HTTP/1\\.1" 200 - 0 4 \\d+ \\d+ "-" "shop/1" "id-1" "a\\.local" "${server.address}"$`))
})

describe('operators', () => {
  const cases: Readonly<Record<string, string | RegExp>> = {
    '%METHOD% %PATH% %REQ(:METHOD)% %REQ(:PATH)% %REQ(:SCHEME)% %REQ(:AUTHORITY)%': 'POST /new/1?token=REDACTED POST /new/1?token=REDACTED http a.local',
    '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%': '/old/1?token=REDACTED',
    '%REQ(x-tenant)%|%REQ(x-tenant):2%|%REQ(absent?x-tenant)%|%REQ(absent?other)%': 'acme|ac|acme|-',
    '%RESP(x-a)%|%RESP(:STATUS)%|%RESP(absent)%': 'one|201|-',
    '%RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %RESPONSE_FLAGS%': '201 via_upstream -',
    '%BYTES_RECEIVED% %BYTES_SENT%': '3 4',
    '%ROUTE_NAME% %UPSTREAM_CLUSTER% %UPSTREAM_REQUEST_ATTEMPT_COUNT%': 'all a 1',
    '%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%': '127.0.0.1',
    '%DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION%': /^\d+ \d+ \d+$/,
    '%START_TIME(%Y/%m/%d %s.%3f)%': /^\d{4}\/\d\d\/\d\d \d+\.\d{3}$/,
    '%DOWNSTREAM_REMOTE_ADDRESS% %GRPC_STATUS%': '- -',
    '100 %% of %PROTOCOL%': '100 % of HTTP/1.1',
  }
  for (const [format, expected] of Object.entries(cases)) {
    test(format, async (t) => {
      const server = await story(t).upstream((_, response) => response.writeHead(201, { 'x-a': 'one' }).end('well'))
      const init = { method: 'POST', body: 'abc', headers: { 'x-tenant': 'acme' } }
      const route = { match: { path: { prefix: '/old' } }, rewrite: { prefix: '/new' } }
      const [line] = await written(t, server.address, { format }, async (ask) => (await ask('/old/1?token=s3cret', init)).text(), route)
      if (typeof expected === 'string') assert.equal(line, expected)
      else assert.match(line!, expected)
    })
  }
})

describe('how it ended', () => {
  const format = '%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_HOST%'
  const failing = { ask: (ask: (path: string) => Promise<Response>) => rejection(ask('/')) }

  test('no connection', async (t) => assert.deepEqual(await written(t, refused, { format }, failing.ask), [`0 UF enmesh_connect_failed ${refused}`]))

  test('a connection that broke', async (t) => {
    const server = await story(t).upstream(resets)
    const retry = { attempts: 2, backoff: { base: 0, max: 0 } }
    const lines = await written(t, server.address, { format: '%RESPONSE_FLAGS% %UPSTREAM_REQUEST_ATTEMPT_COUNT%' }, failing.ask, { retry })
    assert.deepEqual(lines, ['UC,URX 2'])
  })

  test('no route', async (t) => {
    const lines = await written(t, refused, { format }, failing.ask, { match: { path: { prefix: '/other' } } })
    assert.deepEqual(lines, ['0 NR enmesh_no_route -'])
  })

  test('out of time', async (t) => {
    const server = await story(t).upstream(() => {})
    const lines = await written(t, server.address, { format: '%RESPONSE_FLAGS%' }, failing.ask, { timeout: '20ms' })
    assert.deepEqual(lines, ['UT'])
  })

  test('given up by the caller', async (t) => {
    const server = await story(t).upstream(() => {})
    const lines = await written(t, server.address, { format }, async (ask) => {
      const controller = new AbortController()
      const asked = rejection(ask('/', { signal: controller.signal }))
      await server.arrived(1)
      controller.abort()
      await asked
    })
    assert.deepEqual(lines, [`0 DC downstream_disconnect ${server.address}`])
  })

  test('a body that is read whole counts to its end, a streamed request to what was sent', async (t) => {
    const server = await story(t).upstream((request, response) => { void bodyOf(request).then(() => response.end('x'.repeat(100_000))) })
    const lines = await written(t, server.address, { format: '%BYTES_RECEIVED% %BYTES_SENT%' }, async (ask) => {
      const body = new Blob(['a'.repeat(70_000)]).stream()
      await (await ask('/', { method: 'POST', body, duplex: 'half' } as RequestInit)).text()
    })
    assert.deepEqual(lines, ['70000 100000'])
  })
})

test('JSON keeps the types of operators that stand alone, and null where there is nothing', async (t) => {
  const server = await story(t).upstream(says('well'))
  const json = { status: '%RESPONSE_CODE%', agent: '%REQ(user-agent)%', both: '%METHOD% %RESPONSE_CODE%', 'tenant "x"': '%REQ(x-tenant)%' }
  const [line] = await written(t, server.address, { json }, async (ask) => (await ask('/', { headers: { 'user-agent': 'a"b' } })).text())
  assert.deepEqual(JSON.parse(line!), { status: 200, agent: 'a"b', both: 'GET 200', 'tenant "x"': null })
})

test('what comes from outside begins no line and speaks to no terminal, and authorization is only written where it is named', async (t) => {
  const server = await story(t).upstream((_, response) => {
    response.socket!.end('HTTP/1.1 200 OK\r\nx-a: one\u0085\u009b31mtwo\r\ncontent-length: 0\r\n\r\n', 'latin1')
  })
  const init = { headers: { authorization: 'Bearer s3cret' } }
  const use = async (ask: (path: string, init?: RequestInit) => Promise<Response>): Promise<unknown> => (await ask('/', init)).text()
  const [line] = await written(t, server.address, { format: '%RESP(x-a)%' }, use)
  assert.doesNotMatch(line!, /[\u0080-\u009f]/)
  assert.match(line!, /^one\\x85\\x9b31mtwo$|^one/)
  const [whole] = await written(t, server.address, {}, use)
  assert.doesNotMatch(whole!, /s3cret/)
  assert.deepEqual(await written(t, server.address, { format: '%REQ(authorization)%' }, use), ['Bearer s3cret'])
})

describe('formats that are refused', () => {
  const cases: Readonly<Record<string, RegExp>> = {
    '%RESPONSE_CDOE%': /'%RESPONSE_CDOE%' is no operator: known are/,
    '100 %': /a '%' that begins no operator/,
    '%REQ%': /names a header/,
    '%REQ(a b)%': /names a header/,
    '%RESPONSE_CODE(1)%': /takes nothing in brackets/,
    '%START_TIME(%Q)%': /'%Q' is no part of a time/,
    '%constructor%': /begins no operator/,
  }
  for (const [format, message] of Object.entries(cases)) {
    test(format, () => {
      const { error } = accessLogConfig.safeParse({ path: 'x', format })
      assert.match(error!.issues[0]!.message, message)
    })
  }

  test('with its place', () => {
    assert.throws(() => createMesh({ telemetry: { accessLog: { path: 'x', json: { a: '%A%' } } } }), /telemetry\.accessLog\.json\.a: '%A%' is no operator/)
    assert.throws(() => createMesh({ telemetry: { accessLog: { path: 'x', format: 'a', json: { a: 'b' } } } }), /stands beside `format`/)
  })
})

test('a time is written as strftime would', () => {
  const at = Date.UTC(2026, 1, 3, 13, 4, 5, 67)
  const cases: Readonly<Record<string, string>> = {
    '%Y-%m-%dT%H:%M:%S%z %s': '2026-02-03T13:04:05+0000 1770123845', '%3f %6f %9f %f %1f': '067 067000 067000000 067000000 0',
    '%a %A %b %B %e %j %y': 'Tue Tuesday Feb February  3 034 26', '%I %p %F %T %Z %%': '01 PM 2026-02-03 13:04:05 UTC %',
  }
  for (const [format, expected] of Object.entries(cases)) assert.equal(startTime(format)(at), expected)
  assert.equal(startTime(undefined)(at), '2026-02-03T13:04:05.067Z')
})

describe('the file', () => {
  test('is written together a second later, or once there is much', async () => {
    const clock = new FakeClock()
    const writes: string[] = []
    const file = new LogFile('x', clock, (text) => { writes.push(text); return Promise.resolve() })
    file.add('a\n')
    file.add('b\n')
    assert.deepEqual(writes, [])
    await clock.advance(1_000)
    assert.deepEqual(writes, ['a\nb\n'])
    file.add(`${'x'.repeat(70_000)}\n`)
    assert.equal(writes.length, 2)
    await file.flush()
  })

  test('takes no more than so much while the disk is slow, warns of what was left out, and goes on', async (t) => {
    const warnings = t.mock.method(process, 'emitWarning', () => {})
    const clock = new FakeClock()
    let go = (): void => {}
    const writes: number[] = []
    const file = new LogFile('x', clock, (text) => { writes.push(text.length); return new Promise((resolve) => { go = resolve }) })
    const megabyte = `${'x'.repeat(1024 * 1024 - 1)}\n`
    for (let i = 0; i < 12; i++) file.add(megabyte)
    const flushed = file.flush()
    while (writes.length < 2) { go(); await Promise.resolve() }
    go()
    await flushed
    assert.deepEqual(writes, [megabyte.length, 8 * megabyte.length])
    assert.match(String(warnings.mock.calls[0]!.arguments[0]), /3 lines of the access log x were left out/)
  })

  test('that cannot be written costs no call, and is told once', async (t) => {
    const warnings = t.mock.method(process, 'emitWarning', () => {})
    const { upstream, mesh } = story(t)
    const server = await upstream(says('well'))
    const running = mesh({ services: { 'a.local': [server.address] }, telemetry: { accessLog: { path: '/nowhere/access.log' } } })
    assert.equal(await (await running.fetch('http://a.local/')).text(), 'well')
    await running.close()
    assert.equal(warnings.mock.callCount(), 1)
    assert.match(String(warnings.mock.calls[0]!.arguments[0]), /\/nowhere\/access\.log cannot be written.*ENOENT/)
  })

  test('that is renamed is made anew', async (t) => {
    const path = fileOf(t)
    const file = new LogFile(path, new FakeClock())
    file.add('a\n')
    await file.flush()
    renameSync(path, `${path}.1`)
    file.add('b\n')
    await file.flush()
    assert.deepEqual([linesOf(`${path}.1`), linesOf(path)], [['a'], ['b']])
  })

  test('may change while the mesh runs', async (t) => {
    const { upstream, mesh } = story(t)
    const server = await upstream(says('well'))
    const [first, second] = [fileOf(t), fileOf(t)]
    const config = (path: string): MeshInput => ({ services: { 'a.local': [server.address] }, telemetry: { accessLog: { path, format: '%PATH%' } } })
    const running = mesh(config(first))
    await (await running.fetch('http://a.local/1')).text()
    assert.deepEqual(running.update(config(second)).changed, ['telemetry'])
    await (await running.fetch('http://a.local/2')).text()
    await turnsUntil(() => running.status().calls === 0, 'both are over')
    await running.close()
    assert.deepEqual([linesOf(first), linesOf(second)], [['/1'], ['/2']])
  })
})
