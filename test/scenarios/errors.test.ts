import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { request } from 'undici'
import { z } from 'zod'
import {
  createMesh, kind, MeshConfigError, MeshError, registries,
  type Mesh, type MeshErrorCode, type MeshInput, type MeshOptions, type Registry,
} from '../../src/index.ts'
import { selfSigned } from './support/certificate.ts'
import { next, rejection, story, type Story } from './support/story.ts'
import { hangs, refused, resets, says } from './support/upstream.ts'

interface Asked { readonly url: string, readonly method?: string, readonly body?: string }

/** How a code is provoked, and what its error must tell. */
interface Case {
  /** Sets the mesh up so that the next request fails; returns what to ask for. */
  provoke(stage: Story, make: Make): Promise<{ readonly mesh: Mesh, readonly asked: Asked, readonly over?: () => Promise<unknown> }>
  readonly says: readonly RegExp[]
  readonly service?: string
  readonly cluster?: string
  readonly attempts: number
  /** Whether the error of the wire comes along. */
  readonly cause?: boolean
  readonly skip?: string | false
}

type Make = (config: MeshInput, options?: MeshOptions) => Mesh

const empty = kind('empty', z.strictObject({}), (): Registry => async function* () { yield [] })
const certificate = selfSigned('svc.test')
const url = 'http://svc.test/things?secret=1'
const one = (address: string, cluster: object = {}, route: object = {}): MeshInput => ({
  services: { 'svc.test': { cluster: 'c', ...route } },
  clusters: { c: { registry: { type: 'static', endpoints: [address] }, ...cluster } },
})

const cases: Record<Exclude<MeshErrorCode, 'ENMESH_CONFIG_INVALID'>, Case> = {
  ENMESH_EGRESS_DENIED: {
    provoke: async (_, make) => ({ mesh: make({ egress: 'deny' }), asked: { url: 'http://elsewhere.test/things?secret=1' } }),
    says: [/^GET elsewhere\.test/, /no service/, /egress\.allow/],
    attempts: 0,
  },
  ENMESH_NO_ROUTE: {
    provoke: async (_, make) => ({
      mesh: make({ ...one(refused), services: { 'svc.test': { routes: [{ match: { path: { exact: '/other' } }, to: 'c' }] } } }),
      asked: { url },
    }),
    says: [/^GET svc\.test\/things:/, /none of the 1 routes/, /Add a route|explain/],
    service: 'svc.test',
    attempts: 0,
  },
  ENMESH_NO_ENDPOINT: {
    provoke: async (_, make) => ({
      mesh: make({ services: { 'svc.test': { cluster: 'c' } }, clusters: { c: { registry: { type: 'empty' } as never } } },
        { registries: registries.with(empty) as never }),
      asked: { url },
    }),
    says: [/^GET svc\.test\/things:/, /cluster 'c' has no endpoint.*\(empty\) lists 0/, /Check that instances are registered/],
    service: 'svc.test',
    cluster: 'c',
    attempts: 0,
  },
  ENMESH_CIRCUIT_OPEN: {
    provoke: async (stage, make) => {
      const server = await stage.upstream(says('no', 500))
      const mesh = make(one(server.address, { breaker: { calls: 1 } }))
      const opened = next(mesh, 'breaker-opened')
      await (await mesh.fetch(url)).text()
      await opened
      return { mesh, asked: { url } }
    },
    says: [/^GET svc\.test\/things was not sent/, /breaker of cluster 'c' is open.*1 of 1 attempts/, /Find out why/],
    service: 'svc.test',
    cluster: 'c',
    attempts: 0,
  },
  ENMESH_OVERLOADED: {
    provoke: async (stage, make) => {
      const server = await stage.upstream(hangs)
      const mesh = make(one(server.address, { requests: 1 }))
      const controller = new AbortController()
      const first = mesh.fetch(url, { signal: controller.signal })
      await server.arrived(1)
      return { mesh, asked: { url }, over: () => { controller.abort(); return rejection(first) } }
    },
    says: [/^GET svc\.test\/things was refused/, /under way are 1.*limit 'requests' is 1/, /Raise 'requests'/],
    service: 'svc.test',
    cluster: 'c',
    attempts: 0,
  },
  ENMESH_DEADLINE_EXCEEDED: {
    provoke: async (stage, make) => {
      const server = await stage.upstream(hangs)
      return { mesh: make(one(server.address, {}, { timeout: '50ms' })), asked: { url } }
    },
    says: [/^GET svc\.test\/things took longer/, /50 ms: 1 attempt made, the last at 127\.0\.0\.1:\d+ waited for an answer/, /raise 'timeout'/],
    service: 'svc.test',
    cluster: 'c',
    attempts: 1,
  },
  ENMESH_ATTEMPT_TIMEOUT: {
    provoke: async (stage, make) => {
      const server = await stage.upstream(hangs)
      return {
        mesh: make(one(server.address, {}, { attemptTimeout: '20ms', retry: { attempts: 2, backoff: { max: 1 } } })),
        asked: { url },
      }
    },
    says: [/^Attempt 2 of GET svc\.test\/things at 127\.0\.0\.1:\d+ had no answer within 20 ms/, /Raise 'attemptTimeout'/],
    service: 'svc.test',
    cluster: 'c',
    attempts: 2,
  },
  ENMESH_CONNECT_FAILED: {
    provoke: async (_, make) => ({
      mesh: make(one(refused, {}, { retry: { backoff: { max: 1 } } })),
      asked: { url, method: 'POST', body: 'x' },
    }),
    says: [/^POST svc\.test\/things at 127\.0\.0\.1:1:/, /no connection could be made \(ECONNREFUSED/, /Check that the endpoint runs/],
    service: 'svc.test',
    cluster: 'c',
    attempts: 3,
    cause: true,
  },
  ENMESH_CONNECTION_RESET: {
    provoke: async (stage, make) => {
      const server = await stage.upstream(resets)
      return { mesh: make(one(server.address)), asked: { url, method: 'POST', body: 'x' } }
    },
    says: [/^POST svc\.test\/things at 127\.0\.0\.1:\d+: the connection broke before it answered/, /Idempotency-Key/],
    service: 'svc.test',
    cluster: 'c',
    attempts: 1,
    cause: true,
  },
  ENMESH_TLS: {
    skip: certificate === undefined && 'there is no openssl to make a certificate with',
    provoke: async (stage, make) => {
      const server = await stage.upstream(says('secret'), certificate)
      return { mesh: make(one(server.address, { tls: true })), asked: { url } }
    },
    says: [/^GET svc\.test\/things at 127\.0\.0\.1:\d+: the TLS connection could not be made \(DEPTH_ZERO/, /`tls\.ca`/],
    service: 'svc.test',
    cluster: 'c',
    attempts: 1,
    cause: true,
  },
  ENMESH_CLOSED: {
    provoke: async (_, make) => {
      const mesh = make(one(refused))
      await mesh.close()
      return { mesh, asked: { url } }
    },
    says: [/^GET svc\.test/, /mesh is closed/, /Make a new one/],
    attempts: 0,
  },
}

const byFetch = (mesh: Mesh, { url, ...init }: Asked): Promise<unknown> => mesh.fetch(url, init)
const byRequest = (mesh: Mesh, { url, ...options }: Asked): Promise<unknown> =>
  request(url, { ...options, dispatcher: mesh.dispatcher })

const assertTells = (error: unknown, code: MeshErrorCode, expected: Case): void => {
  assert.ok(error instanceof MeshError, String(error))
  assert.ok(error instanceof TypeError)
  assert.equal(error.name, 'MeshError')
  assert.equal(error.code, code, error.message)
  for (const words of expected.says) assert.match(error.message, words)
  assert.doesNotMatch(error.message, /secret=/, 'queries may hold secrets')
  assert.equal(error.service, expected.service)
  assert.equal(error.cluster, expected.cluster)
  assert.deepEqual(error.attempts.map(({ number }) => number), Array.from({ length: expected.attempts }, (_, i) => i + 1))
  for (const { endpoint, ending, took } of error.attempts) {
    assert.match(endpoint, /^127\.0\.0\.1:\d+$/)
    assert.equal(ending, code)
    assert.equal(typeof took, 'number')
  }
  if (expected.cause) assert.ok(error.cause instanceof Error && !(error.cause instanceof MeshError))
}

const check = async (t: TestContext, code: keyof typeof cases, ask: typeof byFetch): Promise<void> => {
  const stage = story(t)
  const expected = cases[code]
  const { mesh, asked, over } = await expected.provoke(stage, stage.mesh)
  const error = await rejection(ask(mesh, asked))
  await over?.()
  assertTells(error, code, expected)
}

for (const code of Object.keys(cases) as (keyof typeof cases)[]) {
  const { skip = false } = cases[code]

  test(`${code} tells what was asked, what was found and what to do, through fetch`, { skip }, (t) => check(t, code, byFetch))

  test(`${code} tells the same through undici.request`, { skip }, (t) => check(t, code, byRequest))

  test(`${code} is the cause of 'fetch failed' for those who want the platform's errors`, { skip }, async (t) => {
    const stage = story(t)
    const { mesh, asked, over } = await cases[code].provoke(stage, (config, options) => stage.mesh(config, { ...options, errors: 'fetch' }))
    const error = await rejection(mesh.fetch(asked.url, asked))
    await over?.()
    assert.ok(error instanceof TypeError && !(error instanceof MeshError))
    assert.equal(String(error), 'TypeError: fetch failed')
    assertTells(error.cause, code, cases[code])
  })
}

test('ENMESH_CONFIG_INVALID names every fault with its place', () => {
  const error = assertThrowsConfig(() => createMesh({
    services: { 'svc.test': { cluster: 'orde' } },
    clusters: { order: { registry: { type: 'static', endpoints: [refused] } } },
  }))
  assert.match(error.message, /^The mesh configuration has a fault:\n {2}services\["svc\.test"\]\.cluster: there is no cluster 'orde': did you mean 'order'\?/)
  assert.deepEqual(error.faults.map(({ path }) => path), ['services["svc.test"].cluster'])
})

test('ENMESH_CONFIG_INVALID also refuses the policy of a single call', async (t) => {
  const server = await story(t).upstream(says('yes'))
  const mesh = story(t).mesh(one(server.address))
  const error = await rejection(mesh.fetch(url, { mesh: { timeout: 'soon' } }))
  assert.ok(error instanceof MeshConfigError)
  assert.equal(error.code, 'ENMESH_CONFIG_INVALID')
  assert.match(error.message, /init\.mesh\.timeout: is not a duration/)
  assert.equal(server.requests.length, 0)
})

test('ENMESH_CLOSED also ends calls that outlast the drain', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(hangs)
  const mesh = stage.mesh({ ...one(server.address), drain: '20ms' })
  const pending = rejection(mesh.fetch(url))
  await server.arrived(1)
  await mesh.close()
  const error = await pending
  assert.ok(error instanceof MeshError)
  assert.equal(error.code, 'ENMESH_CLOSED')
  assert.equal(error.service, 'svc.test')
  assert.equal(error.attempts.length, 1)
})

test('ENMESH_ATTEMPT_TIMEOUT also names an endpoint that falls silent for the idle timeout', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(hangs)
  const mesh = stage.mesh(one(server.address, {}, { idleTimeout: '30ms', retry: false }))
  const error = await rejection(mesh.fetch(url))
  assert.ok(error instanceof MeshError)
  assert.equal(error.code, 'ENMESH_ATTEMPT_TIMEOUT')
  assert.match(error.message, /sent nothing for the `idleTimeout` of \d+ ms/)
})

const assertThrowsConfig = (task: () => unknown): MeshConfigError => {
  try {
    task()
  } catch (error) {
    assert.ok(error instanceof MeshConfigError && error instanceof MeshError && error instanceof TypeError)
    assert.equal(error.code, 'ENMESH_CONFIG_INVALID')
    return error
  }
  return assert.fail('it did not throw')
}
