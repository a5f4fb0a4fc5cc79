import assert from 'node:assert/strict'
import { createServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { fromAppMesh } from '../../src/app-mesh/index.ts'
import type { Mesh, MeshError, MeshInput } from '../../src/index.ts'
import { meshFor } from '../server/support.ts'
import { Files, serveTls, shopIdentities, type Listening, type ShopIdentities } from '../server/tls-support.ts'
import { read } from '../app-mesh/support.ts'
import { readMaterial } from '../../src/transport/tls/certificates.ts'
import { noSessions, readTls, tlsConnector, tlsOptions } from '../../src/transport/tls/tls.ts'
import type { Identity } from '../support/issuer.ts'
import { next, rejection, turnsUntil } from './support/story.ts'

const made = shopIdentities()
const skip = made === undefined && 'there is no openssl to make certificates with'
const shop = made ?? { renewed: {} } as ShopIdentities
const { root, otherRoot, gateway, order, pricing, stranger } = shop

type Cluster = NonNullable<MeshInput['clusters']>[string]
type Tls = Exclude<Cluster['tls'], boolean | undefined>

const url = 'http://order.shop.local/'

const config = (endpoints: readonly (string | { readonly address: string, readonly tls?: boolean })[], tls: Tls, cluster: Partial<Cluster> = {}): MeshInput => ({
  services: { 'order.shop.local': { cluster: 'order', retry: false }, 'pricing.shop.local': { cluster: 'order', retry: false } },
  clusters: { order: { registry: { type: 'static', endpoints: [...endpoints] }, balancer: { type: 'round-robin' }, tls, ...cluster } as Cluster },
})

/** Serves TLS and plain text on one port, and answers by which it was asked. */
const either = (t: TestContext, identity: Identity = order): Promise<Listening> => serveTls(t, { ...identity, mode: 'permissive', warnBefore: 0 }, (request, response) => {
  const { encrypted } = request.socket as TLSSocket
  // One connection for each request, so that each has a handshake.
  response.setHeader('connection', 'close').end(encrypted ? 'TLS' : 'plain')
})

const asked = async (mesh: Mesh, at = url): Promise<string> => (await mesh.fetch(at)).text()

const portOf = (address: string): number => Number(address.split(':')[1])

describe('where plain text is not refused', { skip }, () => {
  const tls: Tls = { ca: root, names: ['spiffe://shop.local/order'] }

  test('with `enforce: false` TLS is spoken where the registry or the caller says so, and verified there', async (t) => {
    const [one, two] = [await either(t), await either(t)]
    const mesh = meshFor(t, config([{ address: one.address, tls: true }, two.address], { ...tls, enforce: false }))
    assert.deepEqual((await Promise.all([asked(mesh), asked(mesh)])).toSorted(), ['TLS', 'plain'])
    for (let turn = 0; turn < 2; turn++) assert.equal(await asked(mesh, 'https://order.shop.local/'), 'TLS')
    const distrustful = meshFor(t, config([two.address], { enforce: false, ca: otherRoot }))
    assert.equal(await asked(distrustful), 'plain')
    assert.equal((await rejection(asked(distrustful, 'https://order.shop.local/')) as MeshError).code, 'ENMESH_TLS', 'not enforced is not unverified')
  })

  test('with `ports` plain text is refused at these alone', async (t) => {
    const [one, two] = [await either(t), await either(t)]
    const mesh = meshFor(t, config([one.address, two.address], { ...tls, ports: [portOf(two.address)] }))
    assert.deepEqual([await asked(mesh), await asked(mesh), await asked(mesh), await asked(mesh)].toSorted(), ['TLS', 'TLS', 'plain', 'plain'])
    assert.deepEqual([one.tls.status().accepted, two.tls.status().accepted], [{ tls: 0, plain: 2 }, { tls: 2, plain: 0 }])
    mesh.update(config([one.address, two.address], { ...tls, ports: [portOf(two.address)], enforce: false }))
    assert.deepEqual([await asked(mesh), await asked(mesh)], ['plain', 'plain'], '`ports` is about what is enforced')
  })

  test('health checks follow the same rule', async (t) => {
    const [one, two] = [await either(t), await either(t)]
    const mesh = meshFor(t, config([one.address, two.address], { ...tls, ports: [portOf(two.address)] },
      { healthCheck: { protocol: 'http', path: '/', interval: '1h', host: 'order.shop.local' } }))
    const results: string[] = []
    await new Promise<void>((resolve) => {
      mesh.on('endpoint-checked', ({ result }) => {
        results.push(result)
        if (results.length === 2) resolve()
      })
    })
    assert.deepEqual(results, ['passed', 'passed'])
    assert.deepEqual([one.tls.status().accepted, two.tls.status().accepted], [{ tls: 0, plain: 1 }, { tls: 1, plain: 0 }])
  })

  test('a client policy of App Mesh holds for what it is enforced for: for its ports, or not at all', async (t) => {
    const files = new Files(t)
    const ca = files.write('ca.pem', root).file
    const upstream = await either(t)
    const port = portOf(upstream.address)
    const meshOf = async (policy: object, offered?: 'STRICT' | 'PERMISSIVE'): Promise<Mesh> => {
      const listener = { portMapping: { port, protocol: 'http' }, ...(offered && { tls: { mode: offered, certificate: { file: { certificateChain: '/c.pem', privateKey: '/k.pem' } } } }) }
      const of = { meshName: 'shop' }
      const { document } = await read({
        mesh: { ...of, spec: {} },
        virtualServices: [{ ...of, virtualServiceName: 'order.shop.local', spec: { provider: { virtualNode: { virtualNodeName: 'order' } } } }],
        virtualNodes: [
          { ...of, virtualNodeName: 'order', spec: { listeners: [listener], serviceDiscovery: { dns: { hostname: '127.0.0.1' } } } },
          { ...of, virtualNodeName: 'front', spec: {
            backends: [{ virtualService: { virtualServiceName: 'order.shop.local' } }],
            backendDefaults: { clientPolicy: { tls: { ...policy, validation: { trust: { file: { certificateChain: ca } }, subjectAlternativeNames: { match: { exact: ['spiffe://shop.local/order'] } } } } } },
          } },
        ],
      })
      return meshFor(t, fromAppMesh(document, { as: 'front', onWarning: () => {} }) as MeshInput)
    }
    assert.equal(await asked(await meshOf({})), 'TLS', 'enforced by default')
    assert.equal(await asked(await meshOf({ enforce: false })), 'plain')
    assert.equal(await asked(await meshOf({ enforce: false }, 'PERMISSIVE')), 'TLS')
    assert.equal(await asked(await meshOf({ ports: [port] })), 'TLS')
    assert.equal(await asked(await meshOf({ ports: [port + 1] })), 'plain')
  })
})

/** Serves over TLS as Node does, and says of each connection whether it went on with a session of before. */
const resuming = async (t: TestContext, identity: Identity = order): Promise<{ readonly address: string, readonly renew: (identity: Identity) => void }> => {
  const server = createServer({ ...identity, ca: [root, otherRoot].join('\n'), requestCert: true, rejectUnauthorized: false }, (request, response) => {
    const socket = request.socket as TLSSocket
    response.setHeader('connection', 'close').end(`${socket.isSessionReused() ? 'resumed' : 'full'} ${socket.getPeerX509Certificate()?.issuer ?? 'nobody'} ${String(socket.servername)}`)
  })
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(() => new Promise((resolve) => {
    server.close(resolve)
    for (const socket of sockets) socket.destroy()
  }))
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, renew: ({ key, cert }) => { server.setSecureContext({ key, cert, ca: [root, otherRoot].join('\n') }) } }
}

describe('a session of before', { skip }, () => {
  const kindOf = async (mesh: Mesh, at = url): Promise<string> => (await asked(mesh, at)).split(' ')[0]!
  const tls: Tls = { ca: root, names: ['spiffe://shop.local/order'] }

  test('is gone on with by the next connection to the same endpoint', async (t) => {
    const { address } = await resuming(t)
    const mesh = meshFor(t, config([address], { ...tls, ...gateway }))
    const kinds: string[] = []
    for (let turn = 0; turn < 4; turn++) kinds.push(await kindOf(mesh))
    assert.deepEqual(kinds, ['full', 'resumed', 'resumed', 'resumed'])
  })

  test('is gone on with for no other name, and by no other mesh or endpoint', async (t) => {
    const { address } = await resuming(t)
    const mesh = meshFor(t, config([address], tls))
    assert.deepEqual([await asked(mesh), await asked(mesh)], ['full nobody order.shop.local', 'resumed nobody order.shop.local'])
    assert.equal(await asked(mesh, 'http://pricing.shop.local/'), 'full nobody pricing.shop.local')
    assert.equal(await kindOf(meshFor(t, config([address], tls))), 'full')
    mesh.update(config([{ address, tls: true }, (await resuming(t)).address], tls))
    assert.deepEqual([await kindOf(mesh), await kindOf(mesh)].toSorted(), ['full', 'resumed'])
  })

  test('is gone on with neither as another, nor under other authorities or names', async (t) => {
    const { address } = await resuming(t)
    const mesh = meshFor(t, config([address], { ...tls, ...gateway }))
    const change = async (to: Tls): Promise<string> => {
      assert.equal(await kindOf(mesh), 'full')
      assert.equal(await kindOf(mesh), 'resumed')
      mesh.update(config([address], to))
      return asked(mesh).catch((error: unknown) => (error as MeshError).code)
    }
    assert.match(await change({ ...tls, ...stranger }), /^full .*other-root/s, 'another certificate of its own')
    mesh.update(config([address], { ...tls, ...pricing }))
    assert.equal(await change({ ...tls, names: ['spiffe://shop.local/pricing'] }), 'ENMESH_TLS', 'another name')
    mesh.update(config([address], tls))
    assert.equal(await change({ ...tls, ca: otherRoot }), 'ENMESH_TLS', 'another authority')
    mesh.update(config([address], { ...tls, verify: false }))
    assert.match(await change(tls), /^full/, 'verified, after it was not')
  })

  test('is gone on with for no longer than the certificates last that were verified, however often it is handed on', async (t) => {
    const { address } = await resuming(t)
    const { context, shown } = readTls(tlsOptions.parse({ ...tls, ...gateway }))
    const sessions = noSessions()
    const dial = tlsConnector({ config: shown, context, servername: 'order.shop.local', timeout: 5_000, sessions, onHandshake: () => {} })
    const reused = async (): Promise<boolean> => {
      const before = sessions.latest
      const socket = await new Promise<TLSSocket>((resolve, reject) => {
        const [hostname, port] = address.split(':') as [string, string]
        dial({ hostname, port, host: address, protocol: 'https:' }, (error, socket) => error ? reject(error) : resolve(socket.resume() as TLSSocket))
      })
      const is = socket.isSessionReused()
      if (!is) await turnsUntil(() => sessions.latest !== before, 'there is a session')
      socket.destroy()
      return is
    }
    assert.deepEqual([await reused(), await reused()], [false, true])
    const ends = readMaterial({ ca: order.cert }, []).authorities.map(({ validTo }) => Date.parse(validTo))
    assert.equal(sessions.until, Math.min(...ends, Date.parse(readMaterial({ ca: root }, []).authorities[0]!.validTo)))
    sessions.until = Date.now()
    assert.deepEqual([await reused(), await reused()], [false, true])
  })

  test('ends with new files of the cluster, and with new ones of the endpoint', async (t) => {
    const files = new Files(t)
    const ca = files.write('ca.pem', root)
    const upstream = await resuming(t)
    const mesh = meshFor(t, config([upstream.address], { ...tls, ca, ...files.identity('gateway', gateway) }))
    assert.deepEqual([await kindOf(mesh), await kindOf(mesh)], ['full', 'resumed'])
    const renewed = next(mesh, 'certificate-renewed')
    files.identity('gateway', shop.renewed.gateway)
    await renewed
    assert.deepEqual([await kindOf(mesh), await kindOf(mesh)], ['full', 'resumed'])
    upstream.renew(shop.renewed.order)
    assert.deepEqual([await kindOf(mesh), await kindOf(mesh)], ['full', 'resumed'])
    upstream.renew(pricing)
    assert.equal((await rejection(asked(mesh)) as MeshError).code, 'ENMESH_TLS', 'nor does it hide that the endpoint is another one now')
  })
})
