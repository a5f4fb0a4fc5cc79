import assert from 'node:assert/strict'
import { createServer as createPlainServer } from 'node:http'
import { describe, test, type TestContext } from 'node:test'
import { MeshError, type Mesh, type MeshErrorCode, type MeshInput } from '../../src/index.ts'
import { meshTls, type MeshTlsOptions } from '../../src/server/index.ts'
import { rejection, turnsUntil } from '../scenarios/support/story.ts'
import { listening, meshFor } from './support.ts'
import { Files, serveTls, shopIdentities, type ShopIdentities } from './tls-support.ts'

const made = shopIdentities()
const skip = made === undefined && 'there is no openssl to make certificates with'
const shop = made ?? { renewed: {} } as ShopIdentities
const { root, otherRoot, gateway, order, stranger, clerk } = shop

type Tls = NonNullable<NonNullable<MeshInput['clusters']>[string]['tls']>

/** A mesh of the gateway's, which knows order. */
const meshTo = (t: TestContext, address: string, tls: Tls | false = { ca: root, ...gateway, names: ['spiffe://shop.local/order'] }): Mesh => meshFor(t, {
  services: { 'order.shop.local': { cluster: 'order', retry: { attempts: 1 } } },
  clusters: { order: { registry: { type: 'static', endpoints: [address] }, ...(tls !== false && { tls }) } },
})

const ask = async (mesh: Mesh, url = 'http://order.shop.local/'): Promise<string> => (await mesh.fetch(url)).text()

const mutual: MeshTlsOptions = { ...order, clients: { ca: root, names: ['spiffe://shop.local/gateway'] } }

interface Failing {
  readonly server?: Partial<MeshTlsOptions>
  readonly tls?: Tls | false
  readonly code?: MeshErrorCode
  readonly client: RegExp
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
    event: 'client-refused', serverCode: 'untrusted', serverSays: /issued by CN=other-root .*not lead to an authority in `clients\.ca`/, names: gatewayNames,
  },
  'a client with another name': {
    tls: { ...asGateway, ...clerk },
    client: /was shown `tls\.cert` of the cluster, and closed the connection/,
    event: 'client-refused', serverCode: 'wrong-name', serverSays: /should be for 'spiffe:\/\/shop\.local\/gateway', and is for DNS:clerk\.shop\.local, .*`clients\.names`/,
    names: ['clerk.shop.local', 'spiffe://shop.local/clerk'],
  },
  'a client whose certificate has expired': {
    tls: { ...asGateway, ...shop.expired },
    client: /renew `tls\.cert` of the cluster, which expired at 2020-02-01/i,
    event: 'client-refused', serverCode: 'expired', serverSays: /expired at 2020-02-01T00:00:00\.000Z\. Renew it at the client/, names: ['order.shop.local', 'spiffe://shop.local/order'],
  },
  'a client whose certificate is not valid yet': {
    tls: { ...asGateway, ...shop.future },
    client: /`tls\.cert` of the cluster is valid only from 2099-01-01/,
    event: 'client-refused', serverCode: 'not-yet-valid', serverSays: /valid only from 2099-01-01T00:00:00\.000Z on/, names: ['order.shop.local', 'spiffe://shop.local/order'],
  },
  'a client without a certificate': {
    tls: asGateway,
    client: /asks for a client certificate, the cluster has none, .*set `tls\.cert` and `tls\.key`/i,
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
  'no version in common': {
    server: { minVersion: 'TLSv1.3' }, tls: { ...gateway, ...asGateway, alpn: ['acme'] },
    client: /none of the protocols offered, acme/, event: 'handshake-failed', serverCode: 'protocol', serverSays: /ERR_SSL_NO_APPLICATION_PROTOCOL/,
  },
}

describe('who is not let in, told on both sides', { skip }, () => {
  for (const [name, { server = {}, tls, code = 'ENMESH_TLS', client, event, serverCode, serverSays, names }] of Object.entries(failures)) {
    test(name, async (t) => {
      const asked: string[] = []
      const { address, next, tls: listener } = await serveTls(t, { ...mutual, ...server }, (request, response) => {
        asked.push(request.url!)
        response.end('ok')
      })
      const error = await rejection(ask(meshTo(t, address, tls))) as MeshError
      assert.match(error.message, client)
      assert.equal(error.code, code)
      const told = await next(event)
      assert.match(told.reason, serverSays)
      assert.equal(told.code, serverCode)
      assert.match(told.client, /^127\.0\.0\.1:\d+$/)
      if (names) assert.deepEqual((told as { names?: readonly string[] }).names, names)
      assert.deepEqual(asked, [], 'no request of it came through')
      assert.equal(listener.status()[event === 'client-refused' ? 'refused' : 'failed'], 1)
    })
  }
})
