import assert from 'node:assert/strict'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { writeFileSync } from 'node:fs'
import type { MeshInput } from '../../src/index.ts'
import { ProxyConfigError, toHaproxy, toNginx } from '../../src/proxies/index.ts'
import { authority } from '../support/authority.ts'
import { runnable, throughMesh, throughProxy, without, type Way } from './support.ts'

const issued = authority()
const skip = issued ? false : 'there is no openssl'

const file = (name: string, content: string): string => {
  const path = join(issued!.directory, name)
  writeFileSync(path, content)
  return path
}

const files = issued && {
  root: file('trust-root.pem', issued.root),
  other: file('trust-other.pem', issued.otherRoot),
  cert: file('show.pem', issued.client.cert),
  key: file('show.key', issued.client.key),
  bundle: file('bundle.pem', issued.client.cert + issued.client.key),
}

/** An upstream that wants to know who calls, and says whom it saw. */
const start = async (t: TestContext): Promise<{ readonly address: string, readonly seen: string[] }> => {
  const seen: string[] = []
  const server = createServer({ ...issued!.server, ca: issued!.root, requestCert: true, rejectUnauthorized: true }, (request, response) => {
    const socket = request.socket as TLSSocket & { servername: string }
    seen.push(`${String(socket.getPeerCertificate().subject.CN)} at ${socket.servername}`)
    response.end(JSON.stringify({ by: 'safe' }))
  })
  // What was refused is what the tests want.
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

type Tls = NonNullable<NonNullable<MeshInput['clusters']>[string]['tls']>

const shop = (address: string, tls: Tls, service = 'svc.test'): MeshInput => ({
  services: { [service]: { cluster: 'safe' } },
  clusters: { safe: { registry: { type: 'static', endpoints: [address] }, tls, outlier: false } },
})

const ways: readonly (readonly [string, string | false, (t: TestContext, config: MeshInput, shows: boolean) => Way | Promise<Way>])[] = [
  ['the mesh', false, throughMesh],
  ...runnable.map((proxy) => [proxy, without[proxy], (t: TestContext, config: MeshInput, shows: boolean) =>
    throughProxy(t, proxy, config, shows && proxy === 'haproxy' ? { certificates: { safe: { bundle: files!.bundle } } } : {})] as const),
]

describe('TLS to endpoints that ask who calls', { skip }, () => {
  for (const [name, missing, open] of ways) {
    const shown = () => ({ cert: { file: files!.cert }, key: { file: files!.key } })
    const asked = async (t: TestContext, tls: Tls, service = 'svc.test'): Promise<readonly string[]> => {
      const { address, seen } = await start(t)
      const way = await open(t, shop(address, tls, service), typeof tls === 'object' && tls.cert !== undefined)
      const { status, asked } = await way({ url: `http://${service}/` })
      assert.equal(asked?.by, seen.length === 0 ? undefined : 'safe', `status ${status}`)
      return seen
    }

    test(`through ${name}: the service's name is asked for, and a certificate shown`, { skip: missing }, async (t) =>
      assert.deepEqual(await asked(t, { ca: { file: files!.root }, ...shown() }), ['client at svc.test']))

    test(`through ${name}: a name of its own`, { skip: missing }, async (t) =>
      assert.deepEqual(await asked(t, { ca: { file: files!.root }, ...shown(), servername: 'other.test' }, 'shop.test'), ['client at other.test']))

    test(`through ${name}: nothing is sent where the certificate has another name`, { skip: missing }, async (t) =>
      assert.deepEqual(await asked(t, { ca: { file: files!.root }, ...shown() }, 'shop.test'), []))

    test(`through ${name}: nothing is sent where the certificate has another name than is written`, { skip: missing }, async (t) =>
      assert.deepEqual(await asked(t, { ca: { file: files!.root }, ...shown(), names: ['third.test'] }), []))

    test(`through ${name}: nothing is sent to whom another authority vouches for`, { skip: missing }, async (t) =>
      assert.deepEqual(await asked(t, { ca: { file: files!.other }, ...shown() }), []))

    test(`through ${name}: without an authority the machine's own are trusted, which do not vouch for it`, { skip: missing }, async (t) =>
      assert.deepEqual(await asked(t, shown()), []))

    test(`through ${name}: nothing comes of it without a certificate`, { skip: missing }, async (t) =>
      assert.deepEqual(await asked(t, { ca: { file: files!.root } }), []))

    test(`through ${name}: a certificate that is not verified`, { skip: missing }, async (t) =>
      assert.deepEqual(await asked(t, { ...shown(), verify: false }), ['client at svc.test']))
  }
})

test('two services of one cluster do not share a connection that was verified for the other', { skip: skip || without.nginx }, async (t) => {
  const { address, seen } = await start(t)
  const tls = { ca: { file: files!.root }, cert: { file: files!.cert }, key: { file: files!.key } }
  const config: MeshInput = {
    services: { 'svc.test': { cluster: 'safe' }, 'shop.test': { cluster: 'safe' } },
    clusters: { safe: { registry: { type: 'static', endpoints: [address] }, tls, outlier: false } },
  }
  const way = await throughProxy(t, 'nginx', config)
  assert.equal((await way({ url: 'http://svc.test/' })).status, 200)
  // The certificate does not carry that name, and the connection that is idle was not asked for it.
  assert.equal((await way({ url: 'http://shop.test/' })).status, 502)
  assert.deepEqual(seen, ['client at svc.test'])
})

const refused = (write: () => unknown): { readonly path: string, readonly message: string } => {
  try {
    write()
  } catch (error) {
    if (error instanceof ProxyConfigError) return error
    throw error
  }
  return assert.fail('nothing was refused')
}

describe('TLS that is not written out', { skip }, () => {
  test('HAProxy needs certificate and key in one file', () => {
    const { path, message } = refused(() => toHaproxy(shop('127.0.0.1:1', { cert: { file: '/a.pem' }, key: { file: '/a.key' } })))
    assert.equal(path, 'clusters.safe.tls.cert')
    assert.match(message, /bundle: '\/path\/of\.pem'/)
  })

  test('keys in PEM never appear', () => {
    const { path, message } = refused(() => toNginx(shop('127.0.0.1:1', { cert: issued!.client.cert, key: issued!.client.key })))
    assert.equal(path, 'clusters.safe.tls.cert')
    assert.doesNotMatch(message, /BEGIN/)
  })

  test('nor do passphrases', () => {
    const { path, message } = refused(() => toNginx(shop('127.0.0.1:1', { cert: { file: '/a.pem' }, key: { file: '/a.key' }, passphrase: 'open-sesame' })))
    assert.equal(path, 'clusters.safe.tls.passphrase')
    assert.doesNotMatch(message, /sesame/)
  })

  test('where some endpoints speak it and others do not', () => {
    const mixed: MeshInput = { services: { 'shop.test': ['https://10.0.0.1:443', 'http://10.0.0.2:80'] } }
    assert.match(refused(() => toHaproxy(mixed)).message, /some endpoints of 'shop.test' speak TLS and others don't/)
    assert.match(refused(() => toNginx(mixed)).message, /make two clusters of it/)
  })
})
