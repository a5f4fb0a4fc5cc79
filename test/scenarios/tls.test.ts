import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import type { ServerOptions } from 'node:https'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { inspect } from 'node:util'
import { request } from 'undici'
import { MeshError, type Mesh, type MeshErrorCode, type MeshInput } from '../../src/index.ts'
import { authority, type Authority } from '../support/authority.ts'
import { rejection, story, turnsUntil } from './support/story.ts'
import { says } from './support/upstream.ts'

const made = authority()
const skip = made === undefined && 'there is no openssl to make certificates with'
const pki = made ?? {} as Authority
const { root, otherRoot, server, client, stranger } = pki

type Tls = NonNullable<NonNullable<MeshInput['clusters']>[string]['tls']>

const url = 'https://svc.test/things'

/** Services over one endpoint, and one connection to it for each; retries come at once. */
const one = (address: string, tls?: Tls): MeshInput => ({
  services: { 'svc.test': { cluster: 'c', retry: { backoff: { max: 1 } } }, 'other.test': { cluster: 'c' }, '127.0.0.1': { cluster: 'c' } },
  clusters: { c: { registry: { type: 'static', endpoints: [address] }, connections: 1, ...(tls !== undefined && { tls }) } },
})

const doors: Readonly<Record<string, (mesh: Mesh, url: string) => Promise<string>>> = {
  'mesh.fetch': async (mesh, url) => (await mesh.fetch(url)).text(),
  'mesh.dispatcher': async (mesh, url) => (await request(url, { dispatcher: mesh.dispatcher })).body.text(),
}
const ask = doors['mesh.fetch']!

/** Says whom the connection is with: the client's name, the name it asked for, and the protocol. */
const whoAmI: RequestListener = (incoming, response) => {
  const socket = incoming.socket as TLSSocket
  const { subject, serialNumber } = socket.getPeerCertificate()
  response.end(JSON.stringify({
    client: (subject as { CN?: string } | undefined)?.CN, serial: serialNumber, servername: socket.servername, alpn: socket.alpnProtocol, port: socket.remotePort,
  }))
}

interface Seen { readonly client?: string, readonly serial?: string, readonly servername: string | false, readonly alpn: string | false, readonly port: number }

const seen = async (mesh: Mesh, at = url): Promise<Seen> => JSON.parse(await ask(mesh, at)) as Seen

/** A server below HTTP that lives as long as the test; to be started before the stage is set, so that it ends before that is looked at. */
const raw = async (t: TestContext, serve: (socket: Socket) => void): Promise<string> => {
  const sockets = new Set<Socket>()
  const listening: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    serve(socket)
  })
  await new Promise<void>((resolve) => { listening.listen(0, '127.0.0.1', resolve) })
  t.after(() => {
    listening.close()
    for (const socket of sockets) socket.destroy()
  })
  return `127.0.0.1:${(listening.address() as AddressInfo).port}`
}

/** How an attempt fails, and all that its error must tell. */
interface Failing {
  readonly server: ServerOptions | 'plain' | ((socket: Socket) => void)
  readonly tls?: Tls
  readonly url?: string
  readonly code?: MeshErrorCode
  readonly says: readonly RegExp[]
  readonly attempts?: number
}

const mutual: ServerOptions = { ...server, requestCert: true, ca: root }
const tls12 = { ...mutual, maxVersion: 'TLSv1.2' } as const
const trusting = { ca: root } as const

const failures: Readonly<Record<string, Failing>> = {
  'an expired certificate': {
    server: pki.expired,
    tls: trusting,
    says: [/\(CERT_HAS_EXPIRED\)/, /has 'server', which expired at 2020-02-01T00:00:00\.000Z\. Renew that certificate/],
  },
  'a certificate that is not valid yet': {
    server: pki.future,
    tls: trusting,
    says: [/\(CERT_NOT_YET_VALID\)/, /has 'server', which is valid only from 2099-01-01T00:00:00\.000Z on\. Correct this machine's clock/],
  },
  "an issuer that the machine doesn't know": {
    server,
    tls: true,
    says: [/\((UNABLE_TO|SELF_SIGNED)/, /leads to the issuer 'root', which is not among the machine's authorities\. Put the authority .* into `tls\.ca`/],
  },
  'an issuer that `ca` has not': {
    server,
    tls: { ca: otherRoot },
    says: [/leads to the issuer 'root', which is not among `tls\.ca` of the cluster\. Put the authority/],
  },
  'a missing intermediate': {
    server: pki.serverAlone,
    tls: trusting,
    says: [/leads to the issuer 'intermediate', which is not among `tls\.ca`/, /have the endpoint send its intermediate certificates/],
  },
  'a certificate that signed itself': {
    server: pki.selfSigned,
    tls: trusting,
    says: [/\(DEPTH_ZERO_SELF_SIGNED_CERT\)/, /certificate \('self\.test'\) is signed by itself, and not among `tls\.ca` of the cluster\. .*put the certificate itself into `tls\.ca`/],
  },
  'a wrong name': {
    server,
    tls: { ca: root, servername: 'wrong.test' },
    says: [/\(ERR_TLS_CERT_ALTNAME_INVALID\)/, /should be for 'wrong\.test', and is for DNS:svc\.test, DNS:other\.test, IP Address:127\.0\.0\.1, URI:spiffe:\/\/shop\.test\/svc\. Set `tls\.servername`/],
  },
  'a wrong address as the name': {
    server,
    tls: { ca: root, servername: '127.0.0.2' },
    says: [/should be for '127\.0\.0\.2', and is for DNS:svc\.test/],
  },
  'a plain server': {
    server: 'plain',
    tls: true,
    says: [/\(ERR_SSL_WRONG_VERSION_NUMBER\)/, /is no TLS\. If this port speaks plain HTTP, leave `tls` of the cluster out/],
  },
  'a plain server asked by https': {
    server: 'plain',
    says: [/is no TLS\./, /dial http:\/\//],
  },
  'a client certificate demanded of a cluster without one': {
    server: mutual,
    tls: trusting,
    says: [/asks for a client certificate, the cluster has none, and it /, /Set `tls\.cert` and `tls\.key` of the cluster\./],
  },
  'the same with TLS 1.2': {
    server: tls12,
    tls: trusting,
    says: [/alert 40/, /may ask for a client certificate, which the cluster has not/, /set `tls\.cert` and `tls\.key` of the cluster\./],
  },
  'a client certificate that the server does not trust': {
    server: mutual,
    tls: { ca: root, ...stranger },
    says: [/was shown `tls\.cert` of the cluster, and closed the connection before it answered\. Have the endpoint trust the issuer of `tls\.cert`/],
  },
  'a client certificate that has expired': {
    server: mutual,
    tls: { ca: root, ...pki.expiredClient },
    says: [/was shown `tls\.cert` of the cluster, and .*\. Renew `tls\.cert` of the cluster, which expired at 2020-02-01T00:00:00\.000Z, and call `mesh\.update`/],
  },
  'a client certificate that is not valid yet': {
    server: mutual,
    tls: { ca: root, ...pki.futureClient },
    says: [/Correct this machine's clock if it is slow: `tls\.cert` of the cluster is valid only from 2099-01-01T00:00:00\.000Z on/],
  },
  'an untrusted client certificate with TLS 1.2, which cannot be told from any other cut': {
    server: tls12,
    tls: { ca: root, ...stranger },
    code: 'ENMESH_CONNECT_FAILED',
    says: [/cut during the TLS handshake: check that the endpoint runs, speaks TLS on this port, and accepts .* the client certificate \(`tls\.cert`\)/],
    attempts: 3,
  },
  'no protocol in common': {
    server: { ...server, ALPNProtocols: ['h2'] },
    tls: trusting,
    says: [/alert 120/, /none of the protocols offered, http\/1\.1\. If it speaks HTTP\/2 only, set `http2: true`/, /`tls\.alpn`/],
  },
  'a TLS port that closes on plain text': {
    server,
    url: 'http://svc.test/things',
    code: 'ENMESH_CONNECTION_RESET',
    says: [/broke before it answered/, /If it speaks TLS, set `tls: true` for the cluster\./],
    attempts: 3,
  },
  'a TLS port that answers plain text with an alert': {
    server: (socket) => socket.once('data', () => socket.write(Buffer.from([0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46]))),
    url: 'http://svc.test/things',
    says: [/\(HTTPParserError\): the endpoint answered a plain request with TLS\. Set `tls: true` for the cluster\./],
  },
}

describe('a failure of TLS says what was asked, what was found and what to do', { skip }, () => {
  for (const [name, failing] of Object.entries(failures)) {
    for (const [door, askBy] of Object.entries(doors)) {
      test(`${name}, through ${door}`, async (t) => {
        const { server, code = 'ENMESH_TLS', attempts = 1 } = failing
        const below = typeof server === 'function' ? await raw(t, server) : undefined
        const stage = story(t)
        const address = below ?? (await stage.upstream(says('secret'), server === 'plain' ? undefined : server as ServerOptions)).address
        const mesh = stage.mesh(one(address, failing.tls))
        const error = await rejection(askBy(mesh, failing.url ?? url))
        assert.ok(error instanceof MeshError, String(error))
        assert.equal(error.code, code, error.message)
        assert.match(error.message, new RegExp(`^GET svc\\.test/things at ${address}: `))
        for (const words of failing.says) assert.match(error.message, words)
        assert.doesNotMatch(error.message, /\n|undefined|SSL routines/)
        assert.ok(error.cause instanceof Error)
        assert.deepEqual(error.attempts.map(({ ending, resent }) => [ending, resent]), Array.from({ length: attempts }, () => [code, undefined]))
      })
    }
  }
})

describe('TLS to the endpoints of a cluster', { skip }, () => {
  for (const [door, askBy] of Object.entries(doors)) {
    test(`two services know each other by certificates, through ${door}`, async (t) => {
      const stage = story(t)
      const upstream = await stage.upstream(whoAmI, mutual)
      const mesh = stage.mesh(one(upstream.address, { ca: root, ...client }))
      const { port: _, serial: __, ...rest } = JSON.parse(await askBy(mesh, url)) as Seen
      assert.deepEqual(rest, { client: 'client', servername: 'svc.test', alpn: 'http/1.1' })
    })
  }

  test('http:// and https:// are both dialled with TLS once the cluster says so, over one connection', async (t) => {
    const stage = story(t)
    const upstream = await stage.upstream(whoAmI, server)
    const mesh = stage.mesh(one(upstream.address, trusting))
    assert.equal((await seen(mesh, 'http://svc.test/')).servername, 'svc.test')
    assert.equal((await seen(mesh, 'https://svc.test/')).servername, 'svc.test')
    assert.equal(upstream.accepted, 1)
  })

  test('an encrypted key and all the others come from files, relative ones from the working directory', async (t) => {
    const stage = story(t)
    const upstream = await stage.upstream(whoAmI, mutual)
    const before = process.cwd()
    t.after(() => process.chdir(before))
    process.chdir(pki.directory)
    const mesh = stage.mesh(one(upstream.address, {
      ca: [otherRoot, { file: 'root.pem' }],
      cert: { file: join(pki.directory, 'client.pem') },
      key: { file: 'client.enc' },
      passphrase: pki.passphrase,
    }))
    process.chdir(before)
    assert.equal((await seen(mesh)).client, 'client')
  })

  test('`names` are what the certificate must carry one of, a URI too, whatever name is asked for', async (t) => {
    const stage = story(t)
    const upstream = await stage.upstream(whoAmI, server)
    for (const names of [['spiffe://shop.test/svc'], ['no.test', 'OTHER.test']]) {
      const mesh = stage.mesh(one(upstream.address, { ca: root, servername: 'wrong.test', names }))
      assert.equal((await seen(mesh)).servername, 'wrong.test')
      assert.equal((await seen(mesh)).servername, 'wrong.test', 'a session that is resumed is the same')
    }
    for (const names of [['spiffe://shop.test/'], ['SPIFFE://shop.test/svc'], ['127.0.0.1'], ['test'], ['spiffe://shop.test/svc/x', 'svc']]) {
      const error = await rejection(seen(stage.mesh(one(upstream.address, { ca: root, names })))) as MeshError
      assert.equal(error.code, 'ENMESH_TLS')
      assert.match(error.message, new RegExp(`should be for ${names.map((name) => `'${name}'`).join(' or ')}, and is for DNS:svc\\.test, .* into \`tls\\.names\``))
    }
  })

  test('`servername` is asked for and checked, whatever host header a route writes', async (t) => {
    const stage = story(t)
    const upstream = await stage.upstream(whoAmI, server)
    const routes = [{ match: { path: { prefix: '/a' } }, to: 'c', rewrite: { host: 'a.example' } }, { to: 'c' }]
    const mesh = stage.mesh({ ...one(upstream.address, { ca: root, servername: 'other.test' }), services: { 'svc.test': { routes } } })
    const ports = new Set<number>()
    for (const path of ['a', 'b', 'a']) {
      const { servername, port } = await seen(mesh, `https://svc.test/${path}`)
      assert.equal(servername, 'other.test')
      ports.add(port)
    }
    assert.deepEqual(upstream.requests.map(({ headers }) => headers.host), ['a.example', 'svc.test', 'a.example'])
    assert.equal(ports.size, 1, 'a host header of its own is no reason for a new connection')
  })

  test('each service of a cluster is asked for by its own name', async (t) => {
    const stage = story(t)
    const upstream = await stage.upstream(whoAmI, server)
    const mesh = stage.mesh(one(upstream.address, trusting))
    assert.deepEqual([(await seen(mesh)).servername, (await seen(mesh, 'https://other.test/')).servername], ['svc.test', 'other.test'])
    assert.equal(upstream.accepted, 2)
  })

  test('a service that is dialled by its address is known by the address in its certificate', async (t) => {
    const stage = story(t)
    const warnings: string[] = []
    const listener = (warning: Error): void => { warnings.push(String(warning)) }
    process.on('warning', listener)
    t.after(() => { process.off('warning', listener) })
    const upstream = await stage.upstream(whoAmI, server)
    const mesh = stage.mesh(one(upstream.address, trusting))
    assert.equal((await seen(mesh, 'https://127.0.0.1/')).servername, false, 'addresses are not asked for')
    assert.deepEqual(warnings, [])
  })

  test('`verify: false` trusts anybody, and the status shows it', async (t) => {
    const stage = story(t)
    const upstream = await stage.upstream(says('whoever'), pki.expired)
    const mesh = stage.mesh(one(upstream.address, { verify: false, servername: 'wrong.test' }))
    assert.equal(await ask(mesh, url), 'whoever')
    assert.deepEqual(mesh.status().clusters['c']?.config.tls, { enforce: true, verify: false, servername: 'wrong.test', alpn: ['http/1.1'], warnBefore: 1_209_600_000 })
  })

  test('a certificate that signed itself is trusted once it is in `ca`', async (t) => {
    const stage = story(t)
    const upstream = await stage.upstream(says('hello'), pki.selfSigned)
    assert.equal(await ask(stage.mesh(one(upstream.address, { ca: pki.selfSigned.cert, servername: 'self.test' })), url), 'hello')
  })

  test('another name for HTTP/1.1 can be offered', async (t) => {
    const stage = story(t)
    const upstream = await stage.upstream(whoAmI, { ...server, ALPNProtocols: ['acme/1.1'] })
    const mesh = stage.mesh(one(upstream.address, { ca: root, alpn: ['acme/1.1', 'http/1.1'] }))
    assert.equal((await seen(mesh)).alpn, 'acme/1.1')
  })

  test('a handshake that never ends is cut after `connectTimeout`', async (t) => {
    const address = await raw(t, () => {})
    const stage = story(t)
    const { clusters, services } = one(address, trusting)
    const mesh = stage.mesh({ services, clusters: { c: { ...clusters!['c']!, connectTimeout: '20ms' } } } as MeshInput)
    const error = await rejection(ask(mesh, url))
    assert.ok(error instanceof MeshError)
    assert.equal(error.code, 'ENMESH_CONNECT_FAILED')
    assert.match(error.message, /UND_ERR_CONNECT_TIMEOUT/)
  })

  test('a connection of its own that takes a stale one\'s place speaks TLS just as well', async (t) => {
    const stage = story(t)
    const upstream = await stage.upstream(whoAmI, mutual)
    const mesh = stage.mesh(one(upstream.address, { ca: root, ...client }))
    const { port } = await seen(mesh)
    upstream.answer = (incoming, response) => {
      if (incoming.socket.remotePort === port) incoming.socket.destroy()
      else whoAmI(incoming, response)
    }
    const response = await mesh.fetch(url)
    assert.equal((await response.json() as Seen).client, 'client')
    assert.equal(mesh.trail(response)?.attempts[0]?.resent, true)
  })
})

describe('an update of TLS', { skip }, () => {
  test('to another authority dials anew, and no session of before hides that the endpoint is not trusted any more', async (t) => {
    const stage = story(t)
    const upstream = await stage.upstream(whoAmI, server)
    const mesh = stage.mesh(one(upstream.address, trusting))
    for (let i = 0; i < 3; i++) await seen(mesh)
    assert.deepEqual(mesh.update(one(upstream.address, { ca: otherRoot })).changed, ['clusters.c'])
    for (const askBy of Object.values(doors)) {
      const error = await rejection(askBy(mesh, url))
      assert.equal((error as MeshError).code, 'ENMESH_TLS')
    }
    mesh.update(one(upstream.address, trusting))
    assert.equal((await seen(mesh)).servername, 'svc.test')
  })

  test('takes a renewed certificate of the same file, and keeps connections when nothing was renewed', async (t) => {
    const stage = story(t)
    const upstream = await stage.upstream(whoAmI, mutual)
    const path = join(pki.directory, 'own.pem')
    // Certificate and key in one file, as some tools write them.
    const write = ({ cert, key }: typeof client): void => writeFileSync(path, `${key}${cert}`)
    write(client)
    const config = one(upstream.address, { ca: root, cert: { file: path }, key: { file: path } })
    const mesh = stage.mesh(config)
    const first = await seen(mesh)
    assert.deepEqual(mesh.update(config).changed, [])
    assert.deepEqual(await seen(mesh), first)
    write(pki.renewed)
    assert.deepEqual(mesh.update(config).changed, ['clusters.c'])
    const second = await seen(mesh)
    assert.notEqual(second.serial, first.serial)
    assert.notEqual(second.port, first.port)
  })

  test('that cannot be used leaves everything as it was', async (t) => {
    const stage = story(t)
    const upstream = await stage.upstream(whoAmI, mutual)
    const mesh = stage.mesh(one(upstream.address, { ca: root, ...client }))
    const first = await seen(mesh)
    const before = JSON.stringify(mesh.status().config)
    assert.throws(() => mesh.update(one(upstream.address, { ca: root, cert: client.cert, key: { file: '/nowhere/key.pem' } })), { code: 'ENMESH_CONFIG_INVALID' })
    assert.equal(JSON.stringify(mesh.status().config), before)
    assert.deepEqual(await seen(mesh), first)
  })
})

test('neither key nor passphrase is in the status, in events, in errors, or in what the mesh holds of its endpoints', { skip }, async (t) => {
  const stage = story(t)
  const upstream = await stage.upstream(says('yes'), mutual)
  const told: unknown[] = []
  const keyLine = pki.encryptedKey.split('\n')[2]!
  const plainLine = client.key.split('\n')[1]!
  const secrets = [keyLine, plainLine, pki.passphrase, 'PRIVATE KEY-----']
  const good = { ca: root, cert: client.cert, key: pki.encryptedKey, passphrase: pki.passphrase }
  const mesh = stage.mesh(one(upstream.address, good), {
    layers: { attempt: [(next) => async (attempt) => {
      const reply = await next(attempt)
      told.push(attempt.endpoint, [...attempt.endpoint.pools.keys()])
      return reply
    }] },
  })
  for (const event of ['config-applied', 'config-rejected', 'endpoint-added', 'endpoint-removed', 'retry'] as const) mesh.on(event, (detail) => told.push(detail))
  await ask(mesh, url)
  const refusals: readonly Tls[] = [
    { ...good, passphrase: `${pki.passphrase}!` },
    { ...good, cert: pki.selfSigned.cert },
    { ...good, key: client.key, cert: pki.selfSigned.cert },
    { ca: root, key: client.key },
    { ...good, key: client.key.replace(plainLine, `${plainLine}x`) },
    { ...good, cert: client.key },
    { ...good, ca: client.key },
    { ...good, key: client.key.replaceAll('-----BEGIN', '') },
  ]
  for (const tls of refusals) {
    try {
      mesh.update(one(upstream.address, tls))
      assert.fail('was accepted')
    } catch (error) {
      told.push(error, (error as Error).message, (error as Error).stack)
    }
  }
  told.push(mesh.status(), mesh.explain(url))
  mesh.update(one(upstream.address, { ...good, ca: otherRoot }))
  told.push(await rejection(ask(mesh, url)))
  mesh.update(one(upstream.address, { ca: root, ...stranger }))
  told.push(await rejection(ask(mesh, url)), mesh.status(), mesh)
  assert.deepEqual(mesh.status().clusters['c']?.config.tls, mesh.status().config.clusters['c']?.tls)
  assert.equal((mesh.status().config.clusters['c']?.tls as { key?: unknown }).key, '(private key)')
  for (const one of told) {
    const texts = [inspect(one, { depth: 20, showHidden: true, maxStringLength: null, maxArrayLength: null }), JSON.stringify(one, replaceCircles()) ?? '']
    for (const text of texts) for (const secret of secrets) assert.ok(!text.includes(secret), `${secret.slice(0, 12)}… is in ${text.slice(0, 400)}`)
  }
  await turnsUntil(() => mesh.status().calls === 0, 'the calls are over')
})

const replaceCircles = () => {
  const met = new WeakSet()
  return (_: string, value: unknown): unknown => {
    if (typeof value === 'bigint') return String(value)
    if (typeof value !== 'object' || value === null) return value
    if (met.has(value)) return undefined
    met.add(value)
    return value
  }
}
