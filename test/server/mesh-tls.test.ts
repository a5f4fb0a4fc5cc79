import assert from 'node:assert/strict'
import { createServer, get } from 'node:https'
import { connect as connectPlain } from 'node:net'
import { after, before, describe, test, type TestContext } from 'node:test'
import tls, { connect, type TLSSocket } from 'node:tls'
import { inspect } from 'node:util'
import { request } from 'undici'
import type { MeshError, Mesh, MeshErrorCode, MeshInput } from '../../src/index.ts'
import { authorize, meshTls, type MeshTls, type MeshTlsOptions } from '../../src/server/index.ts'
import { rejection, turnsUntil } from '../scenarios/support/story.ts'
import { FakeClock } from '../../src/testing/index.ts'
import { collecting } from '../tracing/collecting.ts'
import { meshFor } from './support.ts'
import { Files, serveTls, shopIdentities, type ShopIdentities } from './tls-support.ts'

const made = shopIdentities()
const skip = made === undefined && 'there is no openssl to make certificates with'
const shop = made ?? { renewed: {} } as ShopIdentities
const { root, otherRoot, gateway, order, stranger, clerk } = shop

type Tls = NonNullable<NonNullable<MeshInput['clusters']>[string]['tls']>

/** A mesh of the gateway's, which knows order. */
const meshTo = (t: TestContext, address: string, tls: Tls | false = { ca: root, ...gateway, names: ['spiffe://shop.local/order'] }): Mesh => meshFor(t, {
  services: { 'order.shop.local': { cluster: 'order', retry: { attempts: 1 } } },
  clusters: { order: { registry: { type: 'static', endpoints: [address] }, connections: 1, ...(tls !== false && { tls }) } },
})

const doors: Readonly<Record<string, (mesh: Mesh, url?: string) => Promise<string>>> = {
  'mesh.fetch': async (mesh, url = 'http://order.shop.local/') => (await mesh.fetch(url)).text(),
  'mesh.dispatcher': async (mesh, url = 'http://order.shop.local/') => (await request(url, { dispatcher: mesh.dispatcher })).body.text(),
}
const ask = doors['mesh.fetch']!

const mutual: MeshTlsOptions = { ...order, warnBefore: 0, clients: { ca: root, names: ['spiffe://shop.local/gateway'] } }

interface Failing {
  readonly server?: Partial<MeshTlsOptions>
  readonly tls?: Tls | false
  readonly code?: MeshErrorCode
  readonly client: RegExp
  /** Where under TLS 1.2 it hears of it in another way: there a refusal looks like a process that ends, which is worth another try. */
  readonly client12?: RegExp
  readonly event: 'client-refused' | 'handshake-failed'
  readonly serverCode: string
  readonly serverSays: RegExp
  readonly names?: readonly string[]
}

const asGateway = { ca: root, names: ['spiffe://shop.local/order'] }
const gatewayNames = ['gateway.shop.local', 'spiffe://shop.local/gateway']

const failures: Readonly<Record<string, Failing>> = {
  'a client by another authority': {
    tls: { ...asGateway, ...stranger },
    client: /was shown `tls\.cert` of the cluster, and closed the connection .*have the endpoint trust the issuer of `tls\.cert`/i,
    client12: /asks for client certificates, and may not accept `tls\.cert` of the cluster: have the endpoint trust the issuer of `tls\.cert`/,
    event: 'client-refused', serverCode: 'untrusted', serverSays: /issued by CN=other-root .*not lead to an authority in `clients\.ca`/, names: gatewayNames,
  },
  'a client with another name': {
    tls: { ...asGateway, ...clerk },
    client: /was shown `tls\.cert` of the cluster, and closed the connection/,
    client12: /asks for client certificates, and may not accept `tls\.cert` of the cluster: have the endpoint trust the issuer of `tls\.cert`/,
    event: 'client-refused', serverCode: 'wrong-name', serverSays: /should be for 'spiffe:\/\/shop\.local\/gateway', and is for DNS:clerk\.shop\.local, .*`clients\.names`/,
    names: ['clerk.shop.local', 'spiffe://shop.local/clerk'],
  },
  'a client whose certificate has expired': {
    tls: { ...asGateway, ...shop.expired },
    client: /renew `tls\.cert` of the cluster, which expired at 2020-02-01/i,
    client12: /asks for client certificates, and may not accept `tls\.cert` of the cluster: renew `tls\.cert` of the cluster, which expired at 2020-02-01/,
    event: 'client-refused', serverCode: 'expired', serverSays: /expired at 2020-02-01T00:00:00\.000Z\. Renew it at the client/, names: ['order.shop.local', 'spiffe://shop.local/order'],
  },
  'a client whose certificate is not valid yet': {
    tls: { ...asGateway, ...shop.future },
    client: /`tls\.cert` of the cluster is valid only from 2099-01-01/,
    client12: /`tls\.cert` of the cluster is valid only from 2099-01-01/,
    event: 'client-refused', serverCode: 'not-yet-valid', serverSays: /valid only from 2099-01-01T00:00:00\.000Z on/, names: ['order.shop.local', 'spiffe://shop.local/order'],
  },
  'a client without a certificate': {
    tls: asGateway,
    client: /asks for a client certificate, the cluster has none, .*set `tls\.cert` and `tls\.key`/i,
    client12: /asks for client certificates, and the cluster has none: set `tls\.cert` and `tls\.key` of the cluster/,
    event: 'client-refused', serverCode: 'no-certificate', serverSays: /showed no certificate\. Give it one/, names: [],
  },
  'a server by another authority': {
    tls: { ...gateway, ...asGateway, ca: otherRoot },
    client: /leads to the issuer 'shop-root', which is not among `tls\.ca`/,
    event: 'handshake-failed', serverCode: 'left', serverSays: /closed the connection .*See that it trusts and expects this server's certificate, 'order' for order\.shop\.local, spiffe:\/\/shop\.local\/order, .*valid until/i,
  },
  'a server with another name': {
    server: clerk, tls: { ...gateway, ...asGateway },
    client: /should be for 'spiffe:\/\/shop\.local\/order', and is for DNS:clerk\.shop\.local/,
    event: 'handshake-failed', serverCode: 'left', serverSays: /expects this server's certificate, 'clerk'/,
  },
  'a server whose certificate has expired': {
    server: shop.expired, tls: { ...gateway, ...asGateway },
    client: /has 'order', which expired at 2020-02-01/,
    event: 'handshake-failed', serverCode: 'left', serverSays: /in whose chain 'order' expired at 2020-02-01T00:00:00\.000Z: renew it/,
  },
  'a server whose certificate is not valid yet': {
    server: shop.future, tls: { ...gateway, ...asGateway },
    client: /has 'order', which is valid only from 2099-01-01/,
    event: 'handshake-failed', serverCode: 'left', serverSays: /valid only from 2099-01-01T00:00:00\.000Z on/,
  },
  'plain text to a port of TLS': {
    tls: false, code: 'ENMESH_CONNECTION_RESET',
    client: /before it answered .*If it speaks TLS, set `tls: true` for the cluster/,
    event: 'client-refused', serverCode: 'plain-text', serverSays: /speaks plain text to a port of TLS\. Let it dial https:\/\//, names: [],
  },
  'TLS to a port of plain text': {
    server: { mode: 'plain' }, tls: { ...gateway, ...asGateway }, code: 'ENMESH_CONNECT_FAILED',
    client: /cut during the TLS handshake: check that the endpoint runs, speaks TLS on this port/,
    event: 'client-refused', serverCode: 'tls', serverSays: /speaks TLS to a port of plain text\. Set `mode: 'permissive'`/, names: [],
  },
  'no protocol in common': {
    tls: { ...gateway, ...asGateway, alpn: ['acme'] },
    client: /none of the protocols offered, acme/, event: 'handshake-failed', serverCode: 'protocol', serverSays: /ERR_SSL_NO_APPLICATION_PROTOCOL/,
  },
}

for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
  describe(`who is not let in, told on both sides, with ${version}`, { skip }, () => {
    const { DEFAULT_MAX_VERSION } = tls
    before(() => { tls.DEFAULT_MAX_VERSION = version })
    after(() => { tls.DEFAULT_MAX_VERSION = DEFAULT_MAX_VERSION })
    for (const [name, failing] of Object.entries(failures)) for (const [door, askBy] of Object.entries(doors)) test(`${name}, through ${door}`, async (t) => fails(t, askBy, failing, version))

    test('a client that is known gets in', async (t) => {
      const { address, tls: listener } = await serveTls(t, mutual, (request, response) => { response.end((request.socket as TLSSocket).getProtocol()) })
      assert.equal(await ask(meshTo(t, address)), version)
      assert.equal(listener.status().refused, 0)
    })
  })
}

const fails = async (t: TestContext, askBy: (mesh: Mesh) => Promise<string>, failing: Failing, version: string): Promise<void> => {
  const { server = {}, tls, client, client12, event, serverCode, serverSays, names } = failing
  const asked: string[] = []
  const { address, next, tls: listener } = await serveTls(t, { ...mutual, ...server }, (request, response) => {
    asked.push(request.url!)
    response.end('ok')
  })
  const error = await rejection(askBy(meshTo(t, address, tls))) as MeshError
  const in12 = version === 'TLSv1.2' && client12
  assert.match(error.message, in12 || client)
  assert.equal(error.code, in12 ? 'ENMESH_CONNECTION_RESET' : failing.code ?? 'ENMESH_TLS')
  const told = await next(event)
  assert.match(told.reason, serverSays)
  assert.equal(told.code, serverCode)
  assert.match(told.client, /^127\.0\.0\.1:\d+$/)
  if (names) assert.deepEqual((told as { names?: readonly string[] }).names, names)
  assert.deepEqual(asked, [], 'no request of it came through')
  assert.equal(listener.status()[event === 'client-refused' ? 'refused' : 'failed'], 1)
}

test('no version in common is told on both sides', { skip }, async (t) => {
  const { DEFAULT_MAX_VERSION } = tls
  const { address, next } = await serveTls(t, { ...mutual, minVersion: 'TLSv1.3' })
  tls.DEFAULT_MAX_VERSION = 'TLSv1.2'
  t.after(() => { tls.DEFAULT_MAX_VERSION = DEFAULT_MAX_VERSION })
  const error = await rejection(ask(meshTo(t, address))) as MeshError
  assert.equal(error.code, 'ENMESH_TLS')
  assert.match(error.message, /refused the handshake \(alert 70, .*\)\. Let the endpoint speak TLS 1\.2 or 1\.3/)
  const { code, reason } = await next('handshake-failed')
  assert.equal(code, 'protocol')
  assert.match(reason, /UNSUPPORTED_PROTOCOL.*Look for a version/)
})

/** Serial number of the certificate that a server shows, whether the session went on from before, and the session. */
interface Seen { readonly serial: string, readonly reused: boolean, readonly session: Buffer | undefined }

const look = (port: number, { session, ...options }: { readonly session?: Buffer | undefined } = {}): Promise<Seen> => new Promise((resolve, reject) => {
  const socket = connect({ host: '127.0.0.1', port, ca: root, servername: 'order.shop.local', ...gateway, ...options, ...(session && { session }) })
  let latest: Buffer | undefined
  socket.on('session', (session: Buffer) => { latest = session }).on('error', reject)
    .on('secureConnect', () => {
      const { serialNumber: serial } = socket.getPeerCertificate()
      socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
      socket.resume().on('end', () => resolve({ serial, reused: socket.isSessionReused(), session: latest }))
    })
})

describe('TLS and plain text on one port', { skip }, () => {
  test('are served alike, and told apart', async (t) => {
    const bodies: string[] = []
    const { address, tls, told } = await serveTls(t, { ...mutual, mode: 'permissive' }, (request, response) => {
      let body = ''
      request.setEncoding('latin1').on('data', (chunk: string) => { body += chunk }).on('end', () => {
        bodies.push(body)
        response.end(`${(request.socket as TLSSocket).encrypted ? 'TLS' : 'plain'} ${body.length}`)
      })
    })
    const secure = meshTo(t, address)
    const plain = meshTo(t, address, false)
    const long = 'x'.repeat(300_000)
    for (const [mesh, name] of [[secure, 'TLS'], [plain, 'plain']] as const) {
      for (let turn = 0; turn < 3; turn++) assert.equal(await ask(mesh), `${name} 0`)
      const response = await mesh.fetch('http://order.shop.local/', { method: 'POST', body: long })
      assert.equal(await response.text(), `${name} 300000`)
    }
    assert.equal(bodies.filter((body) => body === long).length, 2, 'the byte that was looked at is not lost')
    assert.deepEqual(tls.status().accepted, { tls: 1, plain: 1 })
    assert.deepEqual(told, [])
    await secure.close()
    await turnsUntil(() => tls.status().open === 0, 'the connection is over')
    assert.deepEqual(told, [], 'one that was used may close without a word')
  })

  test('what arrives byte by byte is served, a connection that says nothing is not kept, and one that hangs up is forgotten', async (t) => {
    const clock = new FakeClock()
    const { port, next, tls } = await serveTls(t, { ...mutual, mode: 'permissive', runtime: { clock } })
    const before = clock.pending
    const slow = connectPlain(port, '127.0.0.1').setNoDelay(true).setEncoding('latin1')
    for (const byte of 'GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n') await new Promise<void>((resolve) => { slow.write(byte, () => resolve()) })
    let answer = ''
    for await (const chunk of slow) answer += chunk as string
    assert.match(answer, /^HTTP\/1\.1 200 .*ok$/s)
    const gone = connectPlain(port, '127.0.0.1')
    await new Promise<void>((resolve) => { gone.end(() => resolve()) })
    await new Promise((resolve) => { gone.resume().once('close', resolve) })
    await turnsUntil(() => clock.pending === before, 'it is forgotten')
    const silent = connectPlain(port, '127.0.0.1').resume()
    const cut = new Promise((resolve) => { silent.once('close', resolve) })
    silent.on('error', () => {})
    await turnsUntil(() => clock.pending > before, 'it is waited for')
    await clock.advance(10_000)
    assert.equal((await next('client-refused')).code, 'silent')
    await cut
    assert.deepEqual(tls.status().accepted, { tls: 0, plain: 1 })
  })

  test('a client without a certificate may come in where none is required, and one with a bad one may not', async (t) => {
    const { address, next } = await serveTls(t, { ...mutual, clients: { ca: root, required: false } })
    assert.equal(await ask(meshTo(t, address, asGateway)), 'ok')
    assert.equal(await ask(meshTo(t, address)), 'ok')
    const error = await rejection(ask(meshTo(t, address, { ...asGateway, ...stranger })))
    assert.equal((error as MeshError).code, 'ENMESH_TLS')
    assert.equal((await next('client-refused')).code, 'untrusted')
  })
})

describe('renewed files of a server', { skip }, () => {
  const serials = (tls: MeshTls): readonly string[] => tls.status().certificates.map(({ serial }) => serial)

  test('are shown to new connections, and no session of before goes on under the old ones', async (t) => {
    const files = new Files(t)
    const { port, tls, next } = await serveTls(t, { ...files.identity('order', order), clients: { ca: files.write('ca.pem', root) }, warnBefore: 0 })
    const first = await look(port)
    const again = await look(port, { session: first.session })
    assert.equal(again.reused, true)
    const before = serials(tls)
    files.identity('order', shop.renewed.order)
    assert.match((await next('certificate-renewed')).expiresAt, /^\d{4}-.*Z$/)
    const after = await look(port, { session: again.session })
    assert.notEqual(after.serial, first.serial)
    assert.equal(after.reused, false)
    assert.equal(tls.status().renewals, 1)
    assert.equal(serials(tls).length, before.length)
  })

  test('that cannot be used are told once, and the next good ones are taken', async (t) => {
    const files = new Files(t)
    const { port, tls, next, told } = await serveTls(t, { ...files.identity('order', order), clients: { ca: files.write('ca.pem', root) }, warnBefore: 0 })
    const first = await look(port)
    files.write('order.pem', 'nothing of the kind')
    const { error } = await next('certificate-failed')
    assert.match((error as Error).message, /meshTls\.cert: the file '.*order\.pem' has no certificate in PEM/)
    files.write('order.pem', clerk.cert)
    assert.match(((await next('certificate-failed')).error as Error).message, /meshTls\.key: does not fit the first certificate of `cert` \(CN=clerk\)/)
    assert.equal((await look(port)).serial, first.serial)
    assert.equal(tls.status().renewals, 0)
    files.identity('order', shop.renewed.order)
    await next('certificate-renewed')
    assert.notEqual((await look(port)).serial, first.serial)
    assert.deepEqual(told.map(({ event }) => event), ['certificate-failed', 'certificate-failed', 'certificate-renewed'])
  })

  test('take the way in from clients of an authority that is gone, open connections included, and from nobody else', async (t) => {
    const files = new Files(t)
    const { address, port, tls, next } = await serveTls(t, { ...order, clients: { ca: files.write('ca.pem', root + otherRoot) }, warnBefore: 0 })
    const staying = meshTo(t, address)
    const leaving = meshTo(t, address, { ...asGateway, ...stranger })
    assert.deepEqual([await ask(staying), await ask(leaving)], ['ok', 'ok'])
    // Its issuer is an intermediate, which a server is not shown.
    const first = await look(port)
    const { session } = first
    const resumed = connect({ host: '127.0.0.1', port, ca: root, servername: 'order.shop.local', ...gateway, session })
    await new Promise((resolve) => { resumed.once('secureConnect', resolve) })
    assert.ok(resumed.isSessionReused())
    await turnsUntil(() => tls.status().open === 3, 'all are in')

    files.write('ca.pem', root)
    const { code, names, reason } = await next('client-refused')
    assert.equal(code, 'revoked')
    assert.deepEqual(names, ['gateway.shop.local', 'spiffe://shop.local/gateway'])
    assert.match(reason, /not in `clients\.ca` any more/)
    const error = await rejection(ask(leaving)) as MeshError
    assert.equal(error.code, 'ENMESH_TLS')
    assert.match(error.message, /was shown `tls\.cert` of the cluster, and closed the connection/)
    assert.equal((await next('client-refused')).code, 'untrusted')
    assert.equal(await ask(staying), 'ok')
    assert.equal(resumed.destroyed, false)
    resumed.destroy()
  })
})

describe('a session of before at a server', { skip }, () => {
  /** Connects with these options and answers with the status of a request and the session; none where it is hung up on. */
  const visit = (port: number, options: object): Promise<{ readonly status: string, readonly reused: boolean, readonly session: Buffer | undefined }> => new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, ca: root, servername: 'order.shop.local', ...options })
    let [status, reused]: [string, boolean] = ['none', false]
    let session: Buffer | undefined
    socket.on('session', (latest: Buffer) => { session = latest }).on('error', () => {})
      .on('data', (chunk: Buffer) => { status = String(chunk).slice(9, 12) }).on('close', () => resolve({ status, reused, session }))
      .on('secureConnect', () => {
        reused = socket.isSessionReused()
        socket.write('GET / HTTP/1.1\r\nhost: order.shop.local\r\nconnection: close\r\n\r\n')
      })
  })

  for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
    test(`spares nobody the check, with ${version}`, async (t) => {
      const { port, tls } = await serveTls(t, mutual)
      const access = authorize({ rules: [{ callers: 'verified' }], default: 'deny' })
      const open = await serveTls(t, { ...mutual, clients: { ca: root, required: false } }, access.guard((_, response) => { response.end('in') }))
      const kept: Buffer[] = []
      for (const [name, options] of Object.entries({ clerk, stranger, nobody: {} })) {
        let session: Buffer | undefined
        for (let turn = 0; turn < 3; turn++) {
          const found = await visit(port, { ...options, maxVersion: version, ...(session && { session }) })
          assert.equal(found.status, 'none', name)
          session = found.session ?? session
          if (found.session) kept.push(found.session)
        }
      }
      // Of one who showed no certificate and goes on with TLS 1.3, Node says that it is authorized.
      const first = await visit(open.port, { maxVersion: version })
      const again = await visit(open.port, { maxVersion: version, session: first.session })
      assert.deepEqual([first.status, again.status, again.reused], ['403', '403', true])
      assert.equal(tls.status().accepted.tls, 0)
      // Whoever goes on with a session is who began it, whatever it shows now.
      const { status, reused } = await visit(port, { ...gateway, maxVersion: version, session: kept[0] })
      assert.equal(status, reused ? 'none' : '200')
    })
  }
})

describe('how long a server\'s certificates last', { skip }, () => {
  test('is a metric while it is open, for an SDK that comes later too', async (t) => {
    const clock = new FakeClock()
    const { server, port, tls } = await serveTls(t, { ...order, clients: { ca: root }, warnBefore: 0, runtime: { clock } })
    const { by } = collecting(t)
    const expiries = () => by('enmesh.certificate.expiry', 'enmesh.certificate.use', { 'enmesh.listener': 'order.shop.local' })
    assert.deepEqual(await expiries(), {}, 'nobody has looked yet')
    await look(port)
    const before = tls.status().certificates
    assert.deepEqual(await expiries(), Object.fromEntries(before.map(({ use, expiresIn }) => [use, expiresIn / 1_000])))
    await clock.advance(before[0]!.expiresIn + 5_000)
    assert.equal((await expiries())['own'], -5)
    // An SDK goes on to report what it heard last.
    await new Promise((resolve) => { server.close(resolve) })
    await clock.advance(5_000)
    assert.equal((await expiries())['own'], -5)
  })
})

describe('the options of a server\'s TLS', { skip }, () => {
  test('until it is attached, no handshake succeeds', async (t) => {
    const tls = meshTls(mutual)
    const server = createServer(tls.options, (_, response) => { response.end('in') })
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
    t.after(() => new Promise((resolve) => { server.close(resolve) }))
    await assert.rejects(look((server.address() as { port: number }).port), { code: 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE' })
  })

  test('only servers of TLS can be attached', () => {
    assert.throws(() => meshTls(mutual).attach({} as never), /attach\(\) takes a server that speaks TLS: https\.createServer/)
  })

  test('faults are told with their places', () => {
    assert.throws(() => meshTls({ ...mutual, mode: 'open' } as never), /meshTls\.mode: must be "strict" or "permissive" or "plain"/)
    assert.throws(() => meshTls({ key: order.key } as never), /meshTls\.cert: is missing/)
    assert.throws(() => meshTls({ ...order, clients: { ca: order.key } }), /meshTls\.clients\.ca: the text has no certificate/)
    assert.throws(() => meshTls({ ...order, cert: clerk.cert }), /meshTls\.key: does not fit the first certificate/)
    assert.throws(() => meshTls({ ...order, client: {} } as never), /meshTls\.client: unknown key: did you mean 'clients'/)
  })

  test('the key is in nothing that can be looked at', async (t) => {
    const { tls, server } = await serveTls(t, mutual)
    const line = order.key.split('\n')[1]!
    for (const object of [tls, tls.options, tls.status(), server]) {
      assert.ok(!inspect(object, { depth: 20, showHidden: true, maxStringLength: null, maxArrayLength: null }).includes(line))
    }
  })

  test('a server may listen again after it was closed', async (t) => {
    const { server, tls } = await serveTls(t, mutual)
    await new Promise((resolve) => { server.close(resolve) })
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
    const { port } = server.address() as { port: number }
    const status = await new Promise((resolve, reject) => {
      get({ host: '127.0.0.1', port, ca: root, servername: 'order.shop.local', agent: false, ...gateway }, (response) => resolve(response.resume().statusCode)).on('error', reject)
    })
    assert.equal(status, 200)
    assert.equal(tls.status().accepted.tls, 1)
  })
})
