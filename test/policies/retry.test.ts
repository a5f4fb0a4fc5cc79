import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MeshError, type MeshErrorCode } from '../../src/core/errors.ts'
import type { Attempt, Call } from '../../src/core/call.ts'
import type { Reply } from '../../src/core/reply.ts'
import { deadline } from '../../src/policies/deadline.ts'
import { retry, retryConfig, retryOverride, retryPolicy } from '../../src/policies/retry.ts'
import { fakeRuntime, scriptedRandom, scriptedUpstream, settle, type Script } from '../../src/testing/index.ts'
import { bodyThat, callFor, clusterOf, countingBudget, textOf, watch, type Asked } from './support.ts'

interface Setting {
  readonly policy?: Parameters<typeof retryPolicy.parse>[0]
  readonly script: Script
  readonly allowance?: number
  readonly refuse?: (call: Call) => MeshError | undefined
}

const setting = ({ policy = {}, script, allowance, refuse }: Setting) => {
  const runtime = fakeRuntime(scriptedRandom(0.5))
  const upstream = scriptedUpstream(script)
  const budget = countingBudget(allowance)
  const cluster = clusterOf(upstream.send, { budget, ...(refuse && { refuse }) })
  const send = retry(retryPolicy.parse(policy), runtime)(cluster.send)
  const call = (asked?: Asked): Call => callFor(runtime.clock, cluster, asked)
  return { ...runtime, runtime, upstream, budget, cluster, send, call }
}

/** Sends one call and gives all waits the time they need. */
const run = async (given: Setting, asked?: Asked) => {
  const made = setting(given)
  const call = made.call(asked)
  const seen = watch(made.send(call))
  await made.clock.advance(60_000)
  assert.equal(seen.done, true, 'the call is settled')
  assert.equal(made.clock.pending, 0, 'no timer is left')
  assert.equal(call.reserve, undefined, 'no reply is left behind')
  return { ...made, sent: call, attempts: made.upstream.attempts.length, reply: seen.value, error: seen.error }
}

const noBackoff = { backoff: { base: 0 } }

test('the defaults are three attempts for idempotent requests, with full jitter', () => {
  assert.deepEqual(retryConfig.parse({}), {
    attempts: 3,
    on: ['connect-failure', 'refused-stream', 'reset', 503],
    methods: 'idempotent',
    backoff: { base: 25, max: 250 },
    retryAfter: { max: 10_000 },
  })
  assert.equal(retryPolicy.parse(false), false)
})

test('options that cannot be meant are refused', () => {
  const refused: [object, string][] = [
    [{ attempts: 0 }, 'attempts'], [{ attempts: 101 }, 'attempts'], [{ attempts: 1.5 }, 'attempts'],
    [{ on: ['gateway-errors'] }, 'on.0'],
    [{ on: [399] }, 'on.0'], [{ on: [600] }, 'on.0'], [{ on: ['503'] }, 'on.0'], [{ on: '5xx' }, 'on'],
    [{ methods: 'all' }, 'methods'], [{ backoff: { base: '5 parsecs' } }, 'backoff.base'],
    [{ retryAfter: { max: -1 } }, 'retryAfter.max'], [{ attemps: 2 }, ''],
  ]
  for (const [input, path] of refused) {
    const { error } = retryConfig.safeParse(input)
    assert.equal(error?.issues[0]?.path.join('.'), path, JSON.stringify(input))
  }
  assert.match(retryConfig.safeParse({ on: ['gateway-errors'] }).error!.issues[0]!.message, /gateway-error, server-error/)
  assert.equal(retryOverride.safeParse({ backoff: {} }).success, false)
  assert.deepEqual(retryOverride.parse({ attempts: 2 }), { attempts: 2 })
})

test('a call that succeeds is sent once, and earns its part of the budget', async () => {
  const { reply, attempts, budget, sent } = await run({ script: {} })
  assert.equal(reply?.status, 200)
  assert.deepEqual([attempts, budget.deposits, budget.withdrawals, sent.stopped], [1, 1, 0, undefined])
})

test('retries a 503 on the next endpoint, and the caller gets the better answer', async () => {
  const { reply, upstream, budget } = await run({ script: [{ status: 503 }, { status: 200, body: 'hello' }] })
  assert.equal(await textOf(reply!), 'hello')
  assert.deepEqual(upstream.attempts.map(({ endpoint, why }) => [endpoint.address, why]), [
    ['10.0.0.1:80', 'first'],
    ['10.0.0.2:80', 'retry after 503'],
  ])
  assert.deepEqual(upstream.discarded.map(({ status }) => status), [503])
  assert.deepEqual([budget.deposits, budget.withdrawals], [1, 1])
})

test('the reason for each attempt is on the trail', async () => {
  const { upstream } = await run({ script: [{ error: 'ENMESH_CONNECTION_RESET' }, { error: 'ENMESH_CONNECT_FAILED' }, {}] })
  const expected = ['first', 'retry after ENMESH_CONNECTION_RESET', 'retry after ENMESH_CONNECT_FAILED']
  assert.deepEqual(upstream.attempts.map(({ why }) => why), expected)
})

test('waits with full jitter before each retry', async () => {
  const { upstream } = await run({ script: { status: 503 }, policy: { attempts: 4 } })
  // Half of 25, 75 and 175 ms, since the scripted chance is 0.5.
  assert.deepEqual(upstream.attempts.map(({ startedAt }) => startedAt - 1_000), [0, 12.5, 50, 137.5])
})

test('when the attempts are used up, the caller gets the last reply', async () => {
  const script = [{ status: 503 }, { status: 503 }, { status: 503, body: 'last' }]
  const { reply, attempts, sent, upstream } = await run({ script })
  assert.equal(attempts, 3)
  assert.equal(await textOf(reply!), 'last')
  assert.equal(sent.stopped, 'attempts')
  assert.equal(upstream.discarded.length, 2)
})

test('when the attempts are used up, the error says so and tells of each attempt', async () => {
  const { error, attempts } = await run({ script: { error: 'ENMESH_CONNECTION_RESET' } })
  assert.equal(attempts, 3)
  assert.ok(error instanceof MeshError)
  assert.equal(error.code, 'ENMESH_CONNECTION_RESET')
  assert.match(error.message, /^scripted ENMESH_CONNECTION_RESET\. It was tried as often as 'retry.attempts' allows\.$/)
  assert.deepEqual(error.attempts.map(({ ending }) => ending), Array(3).fill('ENMESH_CONNECTION_RESET'))
})

type Outcome = MeshErrorCode | number | 'refused'
const noAnswer = ['ENMESH_CONNECT_FAILED', 'ENMESH_CONNECTION_RESET', 'ENMESH_ATTEMPT_TIMEOUT', 'ENMESH_TLS'] as const
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i)
// What each condition retries, of all errors and all statuses from 200 on; `refused` is a refused HTTP/2 stream.
const table: Record<string | number, readonly Outcome[]> = {
  'connect-failure': ['ENMESH_CONNECT_FAILED'],
  'reset': ['ENMESH_CONNECTION_RESET', 'ENMESH_ATTEMPT_TIMEOUT', 'refused'],
  'refused-stream': ['refused'],
  'attempt-timeout': ['ENMESH_ATTEMPT_TIMEOUT'],
  'gateway-error': ['ENMESH_ATTEMPT_TIMEOUT', 502, 503, 504],
  'server-error': ['ENMESH_ATTEMPT_TIMEOUT', ...range(500, 508), 510, 511],
  '5xx': [...noAnswer, 'refused', ...range(500, 599)],
  'retry-after': [],
  409: [409],
  503: [503],
}

// The scripted upstream knows no causes, so a refused stream is an attempt that an error with that cause ends.
const refusing = (attempt: Attempt): Promise<Reply> => {
  attempt.sentAt = attempt.call.clock.now()
  const cause = Object.assign(
    new Error('Stream closed with error code NGHTTP2_REFUSED_STREAM'),
    { code: 'ERR_HTTP2_STREAM_ERROR' },
  )
  const error = attempt.call.error('ENMESH_CONNECTION_RESET', 'stream refused', cause)
  attempt.end(error)
  return Promise.reject(error)
}

const attemptsFor = async (on: string | number, outcome: Outcome, method: string, sent: boolean): Promise<number> => {
  const runtime = fakeRuntime()
  const upstream = scriptedUpstream(typeof outcome === 'number' ? { status: outcome } : { error: outcome as MeshErrorCode, sent })
  const cluster = clusterOf(outcome === 'refused' ? refusing : upstream.send)
  const call = callFor(runtime.clock, cluster, { method })
  const seen = watch(retry(retryConfig.parse({ on: [on], attempts: 2, ...noBackoff }), runtime)(cluster.send)(call))
  while (!seen.done) await runtime.clock.advance(1)
  return call.attempts.length
}

for (const [on, retried] of Object.entries(table)) {
  const condition = Number(on) || on
  test(`the condition ${on} retries what it names and nothing else, whatever the method if the request never left`, async () => {
    for (const outcome of [...noAnswer, 'refused', 200, 301, 404, 409, 429, ...range(500, 512), 599] as const) {
      for (const method of ['GET', 'POST']) {
        for (const sent of typeof outcome === 'number' || outcome === 'refused' ? [true] : [true, false]) {
          const safe = method === 'GET' || !sent || outcome === 'refused'
          const expected = retried.includes(outcome) && safe ? 2 : 1
          const made = await attemptsFor(condition, outcome, method, sent)
          assert.equal(made, expected, `${outcome} to ${method}, ${sent ? 'sent' : 'never sent'}`)
        }
      }
    }
  })
}

test('what the mesh refused is never retried', async () => {
  const codes = [
    'ENMESH_CIRCUIT_OPEN', 'ENMESH_NO_ENDPOINT', 'ENMESH_OVERLOADED',
    'ENMESH_DEADLINE_EXCEEDED', 'ENMESH_CLOSED', 'ENMESH_EGRESS_DENIED',
  ] as const
  for (const code of codes) {
    const { error, attempts, sent, budget } = await run({
      script: {},
      policy: { on: ['5xx', 'reset', 'connect-failure', 'retry-after'] },
      refuse: (call) => call.error(code, 'no'),
    })
    assert.deepEqual([error.code, attempts, sent.stopped, budget.withdrawals], [code, 0, undefined, 0])
  }
})

test('an error that is not the mesh\'s own is passed on untouched', async () => {
  const runtime = fakeRuntime()
  const cluster = clusterOf(() => Promise.reject(new RangeError('a fault')))
  const call = callFor(runtime.clock, cluster)
  await assert.rejects(retry(retryConfig.parse({ on: ['5xx'] }), runtime)(cluster.send)(call), RangeError)
})

test('a request that may have taken effect is not sent twice, and the error says how to allow it', async () => {
  const { error, attempts, sent, budget } = await run({ script: { error: 'ENMESH_CONNECTION_RESET' } }, { method: 'POST' })
  assert.deepEqual([attempts, sent.stopped, budget.withdrawals], [1, 'not-repeatable', 0])
  assert.match(error.message, /Idempotency-Key.*retry\.methods/)
})

test('a POST with Idempotency-Key is repeatable', async () => {
  const { attempts } = await run({ script: [{ status: 503 }, {}] }, { method: 'POST', headers: ['Idempotency-Key', 'k'] })
  assert.equal(attempts, 2)
})

test("methods 'any' and lists say what is repeatable, and the transport hears it", async () => {
  const cases: [Setting['policy'], Asked, boolean][] = [
    [{ methods: 'any' }, { method: 'POST' }, true],
    [{ methods: ['POST'] }, { method: 'POST' }, true],
    [{ methods: ['POST'] }, { method: 'GET' }, false],
    [{ methods: ['GET'] }, { method: 'PUT' }, false],
    [{ methods: [] }, { method: 'PATCH', headers: ['idempotency-key', 'k'] }, true],
    [{ methods: 'idempotent' }, { method: 'PUT' }, true],
    [{ methods: 'idempotent' }, { method: 'PATCH' }, false],
  ]
  for (const [policy, asked, repeatable] of cases) {
    const { attempts, sent } = await run({ policy: policy!, script: [{ status: 503 }, {}] }, asked)
    assert.deepEqual([sent.repeatable, attempts], [repeatable, repeatable ? 2 : 1], JSON.stringify([policy, asked]))
  }
})

test('a POST that once may have arrived stays unrepeatable, whatever fails later', async () => {
  const script: Script = [{ error: 'ENMESH_CONNECT_FAILED' }, { error: 'ENMESH_CONNECTION_RESET' }, {}]
  const { attempts, sent } = await run({ script }, { method: 'POST' })
  assert.deepEqual([attempts, sent.stopped], [2, 'not-repeatable'])
})

test("a body that can't be had again is never retried once it has begun", async () => {
  const script: Script = { error: 'ENMESH_CONNECTION_RESET' }
  const { attempts, sent, error } = await run({ script }, { method: 'PUT', body: bodyThat(false) })
  assert.deepEqual([attempts, sent.stopped], [1, 'body-not-replayable'])
  assert.match(error.message, /string or bytes/)
})

test("a body that can't be had again is retried while it has not begun, and one that can at any time", async () => {
  const unsent = await run({ script: [{ error: 'ENMESH_CONNECT_FAILED' }, {}] }, { method: 'POST', body: bodyThat(false) })
  assert.equal(unsent.attempts, 2)
  const replayable = await run({ script: [{ status: 503 }, {}] }, { method: 'PUT', body: bodyThat(true) })
  assert.equal(replayable.attempts, 2)
})

test('when the budget is used up, the caller gets the reply at hand, unharmed', async () => {
  const { reply, sent, upstream } = await run({ script: { status: 503, body: 'busy' }, allowance: 1 })
  assert.equal(await textOf(reply!), 'busy')
  assert.deepEqual([upstream.attempts.length, sent.stopped, upstream.discarded.length], [2, 'budget', 1])
})

test('when the budget is used up, the error names it', async () => {
  const { error } = await run({ script: { error: 'ENMESH_CONNECT_FAILED' }, allowance: 0 })
  assert.equal(error.code, 'ENMESH_CONNECT_FAILED')
  assert.match(error.message, /budget for retries is used up/)
})

test('a reply is kept until the next attempt has an endpoint: refused by the cluster, the caller gets it', async () => {
  for (const code of ['ENMESH_CIRCUIT_OPEN', 'ENMESH_NO_ENDPOINT', 'ENMESH_OVERLOADED'] as const) {
    const { reply, sent, upstream } = await run({
      script: { status: 503, body: 'busy' },
      refuse: (call) => call.attempts.length > 0 ? call.error(code, 'no more') : undefined,
    })
    assert.equal(await textOf(reply!), 'busy', code)
    assert.deepEqual([upstream.attempts.length, upstream.discarded.length, sent.stopped], [1, 0, 'refused'])
  }
})

test('once the next attempt has its endpoint the kept reply is gone, and its failure is what the caller sees', async () => {
  const { error, upstream } = await run({ script: [{ status: 503 }, { error: 'ENMESH_TLS' }] })
  assert.equal(error.code, 'ENMESH_TLS')
  assert.equal(upstream.discarded.length, 1)
})

test('a reply waits in reserve during the back-off', async () => {
  const script = [{ status: 503, bodyDelay: Infinity }, {}]
  const { call, send, clock, upstream } = setting({ script, policy: { backoff: { base: 100 } } })
  const sent = call()
  const seen = watch(send(sent))
  await settle()
  assert.equal(sent.reserve?.status, 503)
  assert.equal(upstream.discarded.length, 0)
  await clock.advance(50)
  assert.equal(seen.value?.status, 200)
  assert.equal(sent.reserve, undefined)
  assert.equal(upstream.discarded.length, 1)
})

test('an abort during the back-off rejects at once with its reason and lets the kept reply go', async () => {
  const { call, send, clock, upstream } = setting({ script: { status: 503 } })
  const sent = call()
  const seen = watch(send(sent))
  await settle()
  const reason = new Error('the caller left')
  sent.abort(reason)
  await settle()
  assert.equal(seen.error, reason)
  assert.deepEqual([upstream.discarded.length, upstream.attempts.length, clock.pending, sent.reserve], [1, 1, 0, undefined])
})

test('an abort while the next attempt waits for an endpoint rejects with its reason and lets the kept reply go', async () => {
  const { runtime, clock, upstream, cluster } = setting({ script: { status: 503 } })
  let refuse: (error: Error) => void = () => {}
  const send = retry(retryConfig.parse(noBackoff), runtime)((call) =>
    call.attempts.length === 0 ? cluster.send(call) : new Promise((_, reject) => { refuse = reject }))
  const sent = callFor(clock, cluster)
  const seen = watch(send(sent))
  await clock.advance(1)
  const reason = new Error('the caller left')
  sent.abort(reason)
  refuse(sent.error('ENMESH_NO_ENDPOINT', 'another error that came of it'))
  await settle()
  assert.equal(seen.error, reason)
  assert.equal(upstream.discarded.length, 1)
})

test('an abort under an attempt is not retried', async () => {
  const { call, send, upstream, clock } = setting({ script: { delay: Infinity } })
  const sent = call()
  const seen = watch(send(sent))
  await settle()
  // Looks just like a failure that the policy retries.
  sent.abort(sent.error('ENMESH_CONNECTION_RESET', 'for the test'))
  await clock.advance(1_000)
  assert.equal(seen.error.message, 'for the test')
  assert.equal(upstream.attempts.length, 1)
})

test('a back-off that would not end before the deadline is not begun', async () => {
  const made = setting({ script: { status: 503 }, policy: { backoff: { base: 100, max: 100 } } })
  const send = deadline(75)(made.send)
  const sent = made.call()
  const seen = watch(send(sent))
  await made.clock.advance(60)
  // The second wait would be 50 ms too, and only 25 are left.
  assert.equal(seen.value?.status, 503)
  assert.deepEqual([made.upstream.attempts.length, sent.stopped, made.budget.withdrawals], [2, 'deadline', 1])
  sent.end('complete')
  assert.equal(made.clock.pending, 0)
})

test('a wait that ends just as the deadline passes is too long', async () => {
  const made = setting({ script: { error: 'ENMESH_CONNECT_FAILED' }, policy: { backoff: { base: 100, max: 100 } } })
  const sent = made.call()
  sent.deadline = made.clock.now() + 50
  const seen = watch(made.send(sent))
  await settle()
  assert.equal(seen.error.code, 'ENMESH_CONNECT_FAILED')
  assert.match(seen.error.message, /deadline: raise 'timeout'/)
})

test('a deadline that passes during the back-off ends the call and lets the kept reply go', async () => {
  const made = setting({ script: { status: 503 }, policy: { backoff: { base: 100, max: 100 } } })
  const sent = made.call()
  const seen = watch(made.send(sent))
  await made.clock.advance(20)
  sent.abort(sent.error('ENMESH_DEADLINE_EXCEEDED', 'too late'))
  await settle()
  assert.equal(seen.error.code, 'ENMESH_DEADLINE_EXCEEDED')
  assert.deepEqual([made.upstream.discarded.length, made.clock.pending], [1, 0])
})

const waitFor = async (retryAfter: string, policy: Setting['policy'] = {}) => {
  const script = [{ status: 503, headers: { 'retry-after': retryAfter } }, {}]
  const { upstream, sent, reply } = await run({ script, policy: { ...policy as object, ...noBackoff } })
  return { wait: upstream.attempts[1] && upstream.attempts[1].startedAt - 1_000, stopped: sent.stopped, status: reply?.status }
}

test('Retry-After in seconds is waited for', async () => {
  assert.equal((await waitFor('2')).wait, 2_000)
  assert.equal((await waitFor(' 0 ')).wait, 0)
})

test('Retry-After as a date is waited for in each of its forms', async () => {
  // The fake clock's wall time starts at midnight of this day.
  for (const date of ['Thu, 01 Jan 2026 00:00:03 GMT', 'Thursday, 01-Jan-26 00:00:03 GMT', 'Thu Jan  1 00:00:03 2026']) {
    assert.equal((await waitFor(date)).wait, 3_000, date)
  }
})

test('a Retry-After date gone by leaves the back-off as it is', async () => {
  const { upstream } = await run({ script: [{ status: 503, headers: { 'retry-after': 'Wed, 31 Dec 2025 23:59:00 GMT' } }, {}] })
  assert.equal(upstream.attempts[1]!.startedAt - 1_000, 12.5)
})

test('a Retry-After that is neither seconds nor a date counts as none', async () => {
  const values = ['-5', '1.5', 'soon', '', '2 s', '1e3', '0x10', 'Thu, 41 Foo 2026 00:00:03 GMT', '2026-01-01T00:00:03Z', '２']
  for (const junk of values) {
    assert.deepEqual(await waitFor(junk), { wait: 0, stopped: undefined, status: 200 }, junk)
    assert.equal((await waitFor(junk, { on: ['retry-after'] })).status, 503, junk)
  }
})

test('a longer Retry-After than the policy accepts gives the caller the reply', async () => {
  const cases = [['11', '10s'], ['3', 2_999], ['9'.repeat(400), '1h'], ['Fri, 02 Jan 2026 00:00:00 GMT', '10s']] as const
  for (const [retryAfter, max] of cases) {
    const seen = await waitFor(retryAfter, { retryAfter: { max } })
    assert.deepEqual(seen, { wait: undefined, stopped: 'retry-after', status: 503 }, retryAfter)
  }
  assert.equal((await waitFor('10')).wait, 10_000)
})

test('a Retry-After past the deadline gives the caller the reply at once', async () => {
  const { call, send, clock } = setting({ script: { status: 503, headers: { 'retry-after': '5' } } })
  const sent = call()
  sent.deadline = clock.now() + 4_000
  const seen = watch(send(sent))
  await settle()
  assert.deepEqual([seen.value?.status, sent.stopped], [503, 'deadline'])
})

test('the back-off comes on top of Retry-After, so that callers sent away together come back apart', async () => {
  const { upstream } = await run({ script: [{ status: 503, headers: { 'retry-after': '1' } }, {}] })
  assert.equal(upstream.attempts[1]!.startedAt - 1_000, 1_012.5)
})

test("'retry-after' retries any 4xx or 5xx that carries the header, and no redirect", async () => {
  for (const [status, expected] of [[301, 1], [404, 2], [429, 2], [500, 2]] as const) {
    const { attempts } = await run({ script: [{ status, headers: { 'retry-after': '1' } }, {}], policy: { on: ['retry-after'] } })
    assert.equal(attempts, expected, String(status))
  }
  assert.equal((await run({ script: { status: 429 }, policy: { on: ['retry-after'] } })).attempts, 1)
})

test('no header whatever breaks the retry of a 503', async () => {
  await fc.assert(fc.asyncProperty(fc.string({ unit: 'binary' }), async (junk) => {
    const { status, stopped } = await waitFor(junk)
    assert.equal(status, stopped === 'retry-after' ? 503 : 200)
  }), { numRuns: 30 })
})

test('a route without retries sends once, and still earns its part of the budget', async () => {
  const { attempts, budget, reply } = await run({ policy: false, script: { status: 503 } })
  assert.deepEqual([attempts, budget.deposits, reply?.status], [1, 1, 503])
})

test('a call may bring its own policy in place of the route\'s', async () => {
  const script = { status: 503 }
  assert.equal((await run({ script }, { policy: { retry: false } })).attempts, 1)
  assert.equal((await run({ script }, { policy: { retry: { attempts: 2 } } })).attempts, 2)
  assert.equal((await run({ script }, { policy: { retry: { on: [409] } } })).attempts, 1)
  assert.equal((await run({ script }, { method: 'POST', policy: { retry: { methods: 'any' } } })).attempts, 3)
  const merged = await run({ script, policy: { attempts: 5, on: [409] } }, { policy: { retry: { on: [503] } } })
  assert.equal(merged.attempts, 5, 'what the call leaves out stays with the route')
  const alone = await run({ script, policy: false }, { policy: { retry: {} } })
  assert.equal(alone.attempts, 3, 'or with the defaults where the route has none')
})

test('a retry is told to those who listen, before its wait', async () => {
  const { call, send, clock, channels } = setting({ script: [{ status: 503 }, {}] })
  const heard: object[] = []
  channels.on('retry', (detail) => heard.push(detail))
  const seen = watch(send(call()))
  await settle()
  assert.deepEqual(heard, [{ cluster: 'order', service: 'order.local', attempt: 2, reason: 'retry after 503', delay: 12.5 }])
  await clock.advance(13)
  assert.equal(seen.value?.status, 200)
  assert.equal(heard.length, 1)
})

for (const [on, status] of [['cancelled', 1], ['deadline-exceeded', 4], ['resource-exhausted', 8], ['internal', 13], ['unavailable', 14]] as const) {
  test(`the condition grpc-${on} is the grpc-status ${status} in the head of an answer, and nothing else`, async () => {
    const policy = { on: [`grpc-${on}`], methods: 'any', attempts: 2, ...noBackoff } as const
    for (const found of [...range(0, 16).map(String), '014', '14x', '', undefined]) {
      const headers = found === undefined ? {} : { 'grpc-status': found }
      const { attempts, sent } = await run({ policy, script: [{ status: 200, headers }, { status: 200 }] }, { method: 'POST' })
      assert.equal(attempts, found === String(status) ? 2 : 1, found)
      if (attempts === 2) assert.equal(sent.attempts[1]!.why, `retry after grpc-status ${status}`)
    }
  })
}

test('of a call of gRPC that is tried in vain the caller gets the last answer', async () => {
  const { reply, attempts } = await run({ policy: { on: ['grpc-unavailable'], ...noBackoff }, script: { status: 200, headers: { 'grpc-status': '14' }, body: 'last' } })
  assert.deepEqual([attempts, await textOf(reply!)], [3, 'last'])
})
