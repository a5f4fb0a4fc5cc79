import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request as ask } from 'node:https'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { describe, test, type TestContext } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { upgrade } from 'undici'
import { createMesh, type Mesh, type MeshError, type MeshEvents, type MeshInput } from '../../src/index.ts'
import { authorize, createGateway, meshTls } from '../../src/server/index.ts'
import { meshFor } from '../server/support.ts'
import { serveTls, shopIdentities, type Listening, type ShopIdentities } from '../server/tls-support.ts'
import type { Identity } from '../support/issuer.ts'
import { rejection, turnsUntil } from './support/story.ts'

const made = shopIdentities()
const skip = made === undefined && 'there is no openssl to make certificates with'
const shop = made ?? { renewed: {} } as ShopIdentities
const { root, gateway, order, clerk, stranger } = shop

type Cluster = NonNullable<MeshInput['clusters']>[string]

const mutual = { ...order, clients: { ca: root, names: ['spiffe://shop.local/gateway'] } }

const as = (identity: Identity): Cluster['tls'] => ({ ca: root, ...identity, names: ['spiffe://shop.local/order'] })

const config = (address: string, tls: Cluster['tls'], cluster: Partial<Cluster> = {}): MeshInput => ({
  services: { 'order.shop.local': { cluster: 'order', retry: false } },
  clusters: { order: { registry: { type: 'static', endpoints: [address] }, tls, ...cluster } as Cluster },
})

/** Grants upgrades, and sends back what it hears. */
const echoing = ({ server }: Listening): void => {
  server.on('upgrade', (_: IncomingMessage, socket: Socket) => {
    socket.on('error', () => {}).write(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`)
    socket.pipe(socket)
  })
}

const echoed = async (socket: Duplex, line: string): Promise<string> => {
  socket.write(line)
  const [chunk] = await once(socket, 'data') as [Buffer]
  return String(chunk)
}

describe('over mutual TLS', { skip, timeout: 60_000 }, () => {
  test('connections change over, and bare ones are made, for those who are known', async (t) => {
    const listening = await serveTls(t, mutual)
    echoing(listening)
    const mesh = meshFor(t, config(listening.address, as(gateway)))
    const { socket } = await upgrade('http://order.shop.local/chat', { dispatcher: mesh.dispatcher, protocol: 'websocket' })
    assert.equal(await echoed(socket, 'hello'), 'hello')
    socket.destroy()
    const bare = await mesh.connect('order.shop.local')
    assert.equal((bare as TLSSocket).encrypted, true)
    assert.match(await echoed(bare, 'GET / HTTP/1.1\r\nhost: x\r\n\r\n'), /^HTTP\/1\.1 200/)
    bare.destroy()

    const unknown = meshFor(t, config(listening.address, as(clerk)))
    const error = await rejection(upgrade('http://order.shop.local/chat', { dispatcher: unknown.dispatcher, protocol: 'websocket' })) as MeshError
    assert.equal(error.code, 'ENMESH_TLS')
    assert.match(error.message, /was shown `tls\.cert` of the cluster, and closed the connection/)
    assert.equal((await listening.next('client-refused')).code, 'wrong-name')
  })

  for (const protocol of ['http', 'tcp'] as const) {
    test(`health checks by ${protocol} are made with the cluster's certificate`, async (t) => {
      const paths: string[] = []
      const { address, told } = await serveTls(t, mutual, (request, response) => {
        paths.push(request.url!)
        response.end('ok')
      })
      const healthCheck = protocol === 'http' ? { protocol, path: '/health', host: 'order.shop.local', interval: '1h' } as const : { protocol, interval: '1h' } as const
      const mesh = meshFor(t, config(address, as(gateway), { healthCheck }))
      const { result, reason } = await checked(mesh)
      assert.equal(result, 'passed', reason)
      assert.deepEqual(paths, protocol === 'http' ? ['/health'] : [])
      assert.deepEqual(told.filter(({ event }) => event === 'client-refused'), [])
    })
  }

  const refusals: readonly (readonly [who: string, tls: Cluster['tls'], reason: RegExp, code: string])[] = [
    ['by another name', as(clerk), /asks for a client certificate, was shown `tls\.cert` of the cluster, and closed the connection/, 'wrong-name'],
    ['by another authority', as(stranger), /asks for a client certificate, was shown `tls\.cert` of the cluster, and closed the connection/, 'untrusted'],
    ['without a certificate', { ca: root, names: ['spiffe://shop.local/order'] }, /asks for a client certificate, the cluster has none/, 'no-certificate'],
    ['who trusts another', { ca: shop.otherRoot, ...gateway }, /leads to the issuer 'shop-root', which is not among `tls\.ca`/, 'left'],
    ['in plain text', false, /no answer that can be used|no connection could be made/, 'plain-text'],
  ]
  for (const [who, tls, words, code] of refusals) {
    test(`a health check ${who} says why it failed`, async (t) => {
      const listening = await serveTls(t, mutual)
      const mesh = meshFor(t, config(listening.address, tls, { healthCheck: { protocol: 'http', path: '/health', interval: '1h', host: 'order.shop.local' } }))
      const { result, reason } = await checked(mesh)
      assert.equal(result, 'unanswered')
      assert.match(reason, words)
      assert.equal((await listening.next(code === 'left' ? 'handshake-failed' : 'client-refused')).code, code)
    })
  }

  test('a gateway lets in whom its listener knows, says nobody else\'s name, and passes on to services that know it', async (t) => {
    const asked: IncomingMessage['headers'][] = []
    const behind = await serveTls(t, mutual, (request, response) => {
      asked.push(request.headers)
      response.end(`${request.url} ${(request.socket as TLSSocket).encrypted}`)
    })
    echoing(behind)
    const mesh = createMesh(config(behind.address, as(gateway)))
    const front = await openGateway(t, mesh)
    const { status, body } = await front.get(clerk, { 'x-forwarded-client-cert': 'URI=spiffe://shop.local/gateway' })
    assert.deepEqual([status, body], [200, '/a true'])
    assert.deepEqual([asked[0]!['x-forwarded-client-cert'], asked[0]!['x-forwarded-proto']], [undefined, 'https'])
    const [, socket] = await once(ask({ ...front.to(clerk), headers: { connection: 'upgrade', upgrade: 'websocket' } }).end(), 'upgrade') as [unknown, Socket]
    assert.equal(await echoed(socket, 'hello'), 'hello')
    socket.destroy()
    await assert.rejects(front.get(stranger), { code: 'ECONNRESET' })
    await assert.rejects(front.get(undefined), { code: 'ECONNRESET' })
    await turnsUntil(() => front.refused.length === 2, 'both were refused')
    assert.deepEqual(front.refused.toSorted(), ['no-certificate', 'untrusted'])
    assert.equal(asked.length, 1)
  })

  test('what a service refuses is the service\'s answer to whoever asked the gateway, and what TLS refuses is a problem without a name of anything inside', async (t) => {
    const access = authorize({ rules: [{ path: '/b', callers: 'verified' }], default: 'deny' })
    const behind = await serveTls(t, { ...order, clients: { ca: root } }, access.guard((_, response) => { response.end('in') }))
    const mesh = createMesh(config(behind.address, as(gateway)))
    const front = await openGateway(t, mesh)
    const denied = await front.get(clerk)
    assert.deepEqual([denied.status, (JSON.parse(denied.body) as { code: string }).code], [403, 'ENMESH_NOT_AUTHORIZED'])
    mesh.update(config(behind.address, { ...as(stranger) as object }))
    const broken = await front.get(clerk)
    assert.deepEqual([broken.status, broken.headers['enmesh-error']], [502, 'ENMESH_TLS'])
    assert.doesNotMatch(broken.body, /127\.0\.0\.1|certificate of|tls\.cert|shop-root/)
  })
})

const checked = (mesh: Mesh): Promise<MeshEvents['endpoint-checked']> => new Promise((resolve) => { mesh.on('endpoint-checked', resolve) })

const openGateway = async (t: TestContext, mesh: Mesh) => {
  const tls = meshTls({ ...gateway, clients: { ca: root } })
  const refused: string[] = []
  tls.on('client-refused', ({ code }) => refused.push(code))
  const front = createGateway(mesh, { tls: tls.options, routes: [{ service: 'order.shop.local' }] })
  await once(tls.attach(front.server).listen(0, '127.0.0.1'), 'listening')
  t.after(async () => {
    await front.close()
    await mesh.close()
  })
  const { port } = front.server.address() as AddressInfo
  const to = (identity: Identity | undefined) => ({ host: '127.0.0.1', port, path: '/a', ca: root, servername: 'gateway.shop.local', agent: false, ...identity } as const)
  const get = (identity: Identity | undefined, headers = {}): Promise<{ readonly status: number, readonly headers: IncomingMessage['headers'], readonly body: string }> =>
    new Promise((resolve, reject) => {
      ask({ ...to(identity), headers }, (response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (chunk: string) => { body += chunk }).on('error', reject).on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }))
      }).on('error', reject).end()
    })
  return { to, get, refused }
}
