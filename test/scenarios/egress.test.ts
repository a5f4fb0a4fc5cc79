import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { after, before, beforeEach, describe, test } from 'node:test'
import { request } from 'undici'
import { MeshError, type Mesh, type MeshInput } from '../../src/index.ts'
import { rejection, story } from './support/story.ts'
import { says, Upstream } from './support/upstream.ts'

/** Spellings of one address or name; `PORT` is put in. All of them reach the loopback when nobody stops them. */
const spellings: readonly string[] = [
  'http://127.0.0.1:PORT/',
  'http://127.0.0.1.:PORT/',
  'http://127.1:PORT/',
  'http://127.0.1:PORT/',
  'http://2130706433:PORT/',
  'http://0x7f000001:PORT/',
  'http://0x7F.0.0.1:PORT/',
  'http://0x7f.1:PORT/',
  'http://0177.0.0.1:PORT/',
  'http://017700000001:PORT/',
  'http://0177.0x0.0.1:PORT/',
  'http://127.0.0.1:0PORT/',
  'HTTP://127.0.0.1:PORT/',
  'http:127.0.0.1:PORT/',
  'http:\\\\127.0.0.1:PORT\\',
  ' http://127.0.0.1:PORT/ ',
  'http://127.0.\t0.1:PORT/',
  'http://127。0。0。1:PORT/',
  'http://127.0.0.1:PORT/',
  'http://127%2e0%2E0%2e1:PORT/',
  'http://%31%32%37.0.0.1:PORT/',
  'http://①②⑦.0.0.1:PORT/',
  'http://127.0.0.1。:PORT/',
  'http://[::ffff:127.0.0.1]:PORT/',
  'http://[::FFFF:7f00:1]:PORT/',
  'http://[0:0:0:0:0:ffff:7f00:0001]:PORT/',
  'http://localhost:PORT/',
  'http://LOCALHOST:PORT/',
  'http://localhost.:PORT/',
  'http://ｌｏｃａｌｈｏｓｔ:PORT/',
  'http://loc%61lhost:PORT/',
  'http://local\u00adhost:PORT/',
  'http://svc.test@127.0.0.1:PORT/',
  'http://svc.test:80@127.0.0.1:PORT/',
  'http://user:word@127.0.0.1:PORT/',
  'http://svc.test%2f@127.0.0.1:PORT/',
  'http://127.0.0.1:PORT#@svc.test/',
  'http://127.0.0.1:PORT?@svc.test/',
  'http://127.0.0.1:PORT\\@svc.test/',
  'http://0:PORT/',
  'http://0.0.0.0:PORT/',
]

const withPort = (spelling: string, { port }: Upstream): string => spelling.replace('PORT', String(port))

/** The ways to ask for a URL through the mesh. */
const doors: Readonly<Record<string, (mesh: Mesh, url: string) => Promise<unknown>>> = {
  'mesh.fetch': (mesh, url) => mesh.fetch(url),
  "the platform's fetch": (mesh, url) => fetch(url, { dispatcher: mesh.dispatcher } as unknown as RequestInit),
  'undici.request': (mesh, url) => request(url, { dispatcher: mesh.dispatcher }),
}

const codeOf = (error: unknown): string => {
  const found = error instanceof MeshError ? error : (error as Error).cause
  return found instanceof MeshError ? found.code : `${String(error)} ${String(found)}`
}

// What the platform itself refuses never comes to the mesh: URLs with credentials in fetch, and some spellings as no URL at all.
const denied = /^ENMESH_EGRESS_DENIED$|URL|credentials|cross origin/i

describe('egress', () => {
  let trap: Upstream
  let allowed: Upstream

  before(async () => {
    trap = await new Upstream(says('secret')).start()
    allowed = await new Upstream(says('welcome')).start()
  })
  beforeEach(() => {
    trap.requests.length = 0
    trap.accepted = 0
    allowed.requests.length = 0
    allowed.accepted = 0
  })
  after(async () => { await Promise.all([trap.kill(), allowed.kill()]) })

  const policies: readonly [string, () => MeshInput['egress']][] = [
    ["'deny'", () => 'deny'],
    ['a list of other names', () => ({ allow: ['api.test', '*.cloud.test', '10.0.0.1'] })],
    ['a list with another port of the same address', () => ({ allow: [`127.0.0.1:${allowed.port}`, `localhost:${allowed.port}`, 'svc.test'] })],
  ]

  for (const [policy, egress] of policies) {
    for (const [door, ask] of Object.entries(doors)) {
      test(`under ${policy}, none of ${spellings.length} spellings slips past ${door}`, async (t) => {
        const mesh = story(t).mesh({ egress: egress()! })
        for (const spelling of spellings) {
          const url = withPort(spelling, trap)
          assert.match(codeOf(await rejection(ask(mesh, url))), denied, url)
        }
        assert.equal(trap.requests.length, 0)
        assert.equal(trap.accepted, 0)
      })
    }
  }

  test('most spellings are judged by the mesh, and not only refused by the platform', async (t) => {
    const mesh = story(t).mesh({ egress: 'deny' })
    let judged = 0
    for (const spelling of spellings) {
      if (codeOf(await rejection(request(withPort(spelling, trap), { dispatcher: mesh.dispatcher }))) === 'ENMESH_EGRESS_DENIED') judged++
    }
    assert.ok(judged >= 30, `only ${judged} were`)
  })

  test('the trap would be reached if egress let it: the spellings are real', async (t) => {
    const mesh = story(t).mesh({})
    let reached = 0
    for (const spelling of spellings) {
      const answer = await request(withPort(spelling, trap), { dispatcher: mesh.dispatcher }).catch(() => undefined)
      if (answer && await answer.body.text() === 'secret') reached++
    }
    assert.ok(reached >= 30, `only ${reached} were`)
  })

  test('what the list allows passes, however it is spelt', async (t) => {
    const mesh = story(t).mesh({ egress: { allow: [`127.0.0.1:${allowed.port}`] } })
    const same = spellings.slice(0, 22).filter((spelling) => URL.parse(withPort(spelling, allowed))?.hostname.replace(/\.$/, '') === '127.0.0.1')
    assert.ok(same.length >= 18)
    for (const spelling of same) {
      const response = await mesh.fetch(withPort(spelling, allowed))
      assert.equal(await response.text(), 'welcome', spelling)
    }
    assert.equal(allowed.requests.length, same.length)
  })

  test('a service is dialled by any spelling of its name, under deny', async (t) => {
    const mesh = story(t).mesh({ services: { 'Svc.Test.': [allowed.address] }, egress: 'deny' })
    for (const url of ['http://svc.test/', 'HTTP://SVC.TEST/', 'http://svc.test./', 'http://svc.test:80/', 'http://ｓｖｃ.test/', 'http://svc%2etest:1234/']) {
      assert.equal(await (await mesh.fetch(url)).text(), 'welcome', url)
    }
  })

  test('no init slips past, whatever it is', async (t) => {
    const mesh = story(t).mesh({ egress: 'deny' })
    for (const init of [() => {}, Object.assign(() => {}, { method: 'POST' }), class {}, [], new Map(), new Proxy(() => {}, {}), 7, 'GET', true, null]) {
      const error = await rejection(mesh.fetch(trap.url, init as RequestInit))
      assert.match(codeOf(error), /^ENMESH_EGRESS_DENIED$|Expected/, String(typeof init))
    }
    assert.equal(trap.accepted, 0)
  })

  test('dispatch options that name a denied place go nowhere, whatever else they name', async (t) => {
    const mesh = story(t).mesh({ services: { 'svc.test': [allowed.address] }, egress: { allow: [`127.0.0.1:${allowed.port}`] } })
    const { dispatcher } = mesh
    const elsewhere = `http://127.0.0.1:${trap.port}`
    const attempts = [
      dispatcher.request({ origin: allowed.url, path: `${elsewhere}/`, method: 'GET' }),
      dispatcher.request({ origin: 'http://svc.test', path: `${elsewhere}/`, method: 'GET' }),
      dispatcher.request({ origin: new URL(allowed.url), path: `HTTP://127.1:${trap.port}/`, method: 'GET' }),
      dispatcher.request({ origin: elsewhere, path: `${allowed.url}/`, method: 'GET' }),
      dispatcher.request({ origin: elsewhere, path: '/', method: 'GET' }),
      dispatcher.request({ origin: elsewhere, path: '/', method: 'GET', headers: { host: 'svc.test' } }),
      dispatcher.request({ path: `${elsewhere}/`, method: 'GET' }),
      request({ origin: elsewhere, pathname: '/', protocol: 'http:' }, { dispatcher }),
      request({ protocol: 'http:', hostname: '127.0.0.1', port: trap.port, path: '/' } as never, { dispatcher }),
      request(new URL(elsewhere), { dispatcher }),
      dispatcher.connect({ origin: elsewhere, path: '/' }),
      dispatcher.upgrade({ origin: elsewhere, path: '/', protocol: 'websocket' } as never),
    ]
    for (const [index, attempt] of attempts.entries()) {
      assert.equal(codeOf(await rejection(attempt)), 'ENMESH_EGRESS_DENIED', `number ${index}`)
    }
    assert.equal(trap.accepted, 0)
    assert.equal(allowed.requests.length, 0)
  })

  test('an absolute path that names the same place as the origin passes', async (t) => {
    const mesh = story(t).mesh({ services: { 'svc.test': [allowed.address] }, egress: { allow: [`127.0.0.1:${allowed.port}`] } })
    for (const [origin, path] of [['http://svc.test', 'http://svc.test/a?b'], [allowed.url, `${allowed.url}/a?b`]] as const) {
      const { body } = await mesh.dispatcher.request({ origin, path, method: 'GET' })
      assert.equal(await body.text(), 'welcome')
    }
    assert.equal(allowed.requests[0]!.url, '/a?b')
  })

  test('a path that looks like a host stays a path', async (t) => {
    const mesh = story(t).mesh({ services: { 'svc.test': [allowed.address] }, egress: 'deny' })
    const path = `//127.0.0.1:${trap.port}/x`
    const { body } = await mesh.dispatcher.request({ origin: 'http://svc.test', path, method: 'GET' })
    assert.equal(await body.text(), 'welcome')
    assert.equal(allowed.requests[0]!.url, path)
    assert.equal(trap.accepted, 0)
  })

  test('a Host header moves no request', async (t) => {
    const mesh = story(t).mesh({ services: { 'svc.test': [allowed.address] }, egress: 'deny' })
    for (const headers of [{ host: trap.address }, { Host: trap.address }, ['HOST', trap.address]]) {
      const { body } = await mesh.dispatcher.request({ origin: 'http://svc.test', path: '/', method: 'GET', headers })
      assert.equal(await body.text(), 'welcome')
    }
    assert.deepEqual(allowed.requests.map(({ headers: { host } }) => host), ['svc.test', 'svc.test', 'svc.test'])
    assert.equal(trap.accepted, 0)
  })

  test('a redirect is judged at every hop, from services and from allowed hosts alike', async (t) => {
    const stage = story(t)
    const redirect = (request: IncomingMessage, response: ServerResponse): void => {
      request.resume()
      response.writeHead(302, { location: request.headers['x-to'] as string }).end()
    }
    const service = await stage.upstream(redirect)
    const mesh = stage.mesh({ services: { 'svc.test': [service.address] }, egress: { allow: [service.address, allowed.address] } })
    for (const from of ['http://svc.test/', `${service.url}/`]) {
      for (const spelling of spellings.filter((spelling) => /^http:\/\/[!-~]+$/i.test(spelling))) {
        const error = await rejection(mesh.fetch(from, { headers: { 'x-to': withPort(spelling, trap) } }))
        assert.match(codeOf(error), denied, spelling)
      }
      const passed = await mesh.fetch(from, { headers: { 'x-to': `${allowed.url}/` } })
      assert.equal(await passed.text(), 'welcome')
    }
    assert.equal(trap.accepted, 0)
  })
})
