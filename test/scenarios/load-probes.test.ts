import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { createMesh, type Mesh, type MeshInput } from '../../src/index.ts'
import { withPassport } from '../../src/server/index.ts'
import { authority, type Authority } from '../support/authority.ts'
import { standsStill, story, turnsUntil } from './support/story.ts'
import type { Upstream } from './support/upstream.ts'

const pki = authority()

type Cluster = NonNullable<MeshInput['clusters']>[string]

const probing = (upstreams: readonly Upstream[], cluster: Partial<Cluster> = {}, probes: object | false = { path: '/load?full', quiet: 1 }): MeshInput => ({
  services: { 'svc.test': { cluster: 'c' } },
  clusters: {
    c: { registry: { type: 'static', endpoints: upstreams.map(({ address }) => address) }, balancer: { type: 'prequal', probes } as never, ...cluster },
  },
})

const get = async (mesh: Mesh, url = 'http://svc.test/things'): Promise<number> => {
  const response = await mesh.fetch(url)
  await response.text()
  return response.status
}

const isProbe = ({ url }: { readonly url?: string | undefined }): boolean => url!.startsWith('/load')
const probesOf = (upstream: Upstream): number => upstream.requests.filter(isProbe).length

/** Calls until a condition holds. */
const callsUntil = async (mesh: Mesh, holds: () => boolean): Promise<void> => {
  for (let call = 0; !holds(); call++) {
    assert.ok(call < 2_000, 'called in vain')
    assert.equal(await get(mesh), 200)
  }
}

const fine: RequestListener = (_, response) => { response.setHeader('endpoint-load-metrics', 'TEXT named_metrics.rif=1,named_metrics.latency=5').end('ok') }

const explained = (mesh: Mesh): string => JSON.stringify(mesh.explain('http://svc.test/things'))

describe('probes of load', () => {
  test('reach every endpoint beside the calls, in the name of the service, and count as none', async (t) => {
    const { upstream, mesh: make } = story(t)
    const upstreams = await Promise.all(Array.from({ length: 3 }, () => upstream(withPassport((_, response) => { response.end('ok') }, { reportLoad: { except: ['/load'] } }))))
    const mesh = make(probing(upstreams))
    await mesh.ready()
    await callsUntil(mesh, () => upstreams.every((one) => probesOf(one) > 2))
    const { method, url, headers } = upstreams[0]!.requests.find(isProbe)!
    assert.deepEqual([method, url, headers.host, headers['user-agent']], ['GET', '/load?full', 'svc.test', 'enmesh-load-probe'])
    for (const name of ['traceparent', 'x-request-id']) assert.equal(headers[name], undefined, name)
    await standsStill(() => upstreams.reduce((sum, { requests }) => sum + requests.length, 0))
    const calls = upstreams.map(({ requests }) => requests.filter((request) => !isProbe(request)).length)
    assert.deepEqual(mesh.status().clusters['c']!.endpoints.map(({ attempts }) => attempts), calls)
    assert.doesNotMatch(explained(mesh), /asked for its load/)
  })

  const faults: Readonly<Record<string, RequestListener>> = {
    'an error': (_, response) => { response.writeHead(500).end() },
    'a broken connection': (request) => { request.socket.destroy() },
    'half an answer': (_, response) => { response.writeHead(200, { 'content-length': 100 }).write('half') },
    'silence': () => {},
  }
  for (const [what, fault] of Object.entries(faults)) {
    test(`that find ${what} do no harm: nobody is ejected, no call fails, and close() waits for none`, async (t) => {
      const { upstream, mesh: make } = story(t)
      const upstreams = await Promise.all(Array.from({ length: 2 }, () => upstream((request, response) => { (isProbe(request) ? fault : fine)(request, response) })))
      const mesh = make(probing(upstreams, {}, { path: '/load', quiet: 1, timeout: 20 }))
      for (const event of ['endpoint-ejected', 'breaker-opened'] as const) mesh.on(event, () => assert.fail(event))
      await callsUntil(mesh, () => upstreams.every((one) => probesOf(one) > 10))
      await turnsUntil(() => /asked for its load at \/load, it (gave no answer|answered with status 500)/.test(explained(mesh)) || what === 'half an answer', 'it is told')
      for (const { state, failures } of mesh.status().clusters['c']!.endpoints) assert.deepEqual([state, failures], ['available', 0])
      await callsUntil(mesh, () => upstreams.every((one) => probesOf(one) > 12))
    })
  }

  test('go on in another way when connections do, and end when the balancer asks no more', async (t) => {
    const { upstream, mesh: make } = story(t)
    const one = await upstream(fine)
    const mesh = make(probing([one]))
    await callsUntil(mesh, () => probesOf(one) > 2)
    mesh.update(probing([one], { connections: 7 }))
    const before = probesOf(one)
    await callsUntil(mesh, () => probesOf(one) > before + 2)
    mesh.update(probing([one], { connections: 7 }, false))
    await standsStill(() => one.requests.length)
    const ended = probesOf(one)
    for (let call = 0; call < 20; call++) await get(mesh)
    await standsStill(() => one.requests.length)
    assert.equal(probesOf(one), ended)
  })

  test('follow their cluster from HTTP/1.1 to HTTP/2', async () => {
    let probes = 0
    const server = createServer((request, response) => {
      if (isProbe(request)) probes++
      response.setHeader('endpoint-load-metrics', 'TEXT named_metrics.rif=1,named_metrics.latency=5')
      response.end()
    })
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
    const { port } = server.address() as AddressInfo
    // It speaks nothing else, so whatever arrives came in HTTP/2.
    const cluster = (http2: boolean): MeshInput => probing([{ address: `127.0.0.1:${port}` } as Upstream], { http2, breaker: false, outlier: false })
    const mesh = createMesh(cluster(false))
    try {
      await assert.rejects(get(mesh))
      mesh.update(cluster(true))
      await callsUntil(mesh, () => probes > 2)
    } finally {
      await mesh.close()
      server.close()
    }
  })

  describe('over TLS', { skip: pki === undefined && 'there is no openssl to make certificates with' }, () => {
    const { root, otherRoot, server } = pki ?? {} as Authority
    const told: RequestListener = (request, response) => {
      response.setHeader('x-servername', String((request.socket as TLSSocket).servername))
      fine(request, response)
    }

    test('verify the certificate for the name of the service', async (t) => {
      const { upstream, mesh: make } = story(t)
      const one = await upstream(told, server)
      const mesh = make(probing([one], { tls: { ca: root } }))
      await callsUntil(mesh, () => probesOf(one) > 2)
      const probe = one.requests.find(isProbe)!
      assert.equal((probe.socket as TLSSocket).servername, 'svc.test')
    })

    test('send nothing to whom they do not trust', async (t) => {
      const { upstream, mesh: make } = story(t)
      const one = await upstream(told, server)
      const mesh = make(probing([one], { tls: { ca: otherRoot } }))
      await get(mesh).catch(() => {})
      await turnsUntil(() => explained(mesh).includes('it gave no answer (ENMESH_TLS)'), 'it is told')
      assert.equal(one.requests.length, 0)
    })
  })
})
