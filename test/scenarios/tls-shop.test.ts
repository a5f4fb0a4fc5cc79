import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import { text } from 'node:stream/consumers'
import { describe, test, type TestContext } from 'node:test'
import type { Mesh, MeshInput } from '../../src/index.ts'
import { authorize, type MeshTlsOptions } from '../../src/server/index.ts'
import { meshFor } from '../server/support.ts'
import { Files, serveTls, shopIdentities, type Listening, type ShopIdentities } from '../server/tls-support.ts'
import { load, next } from './support/story.ts'

const made = shopIdentities()
const skip = made === undefined && 'there is no openssl to make certificates with'
const shop = made ?? { renewed: {} } as ShopIdentities

/** Passes a request on, body and all, and answers with what comes back. */
const passesOn = (mesh: Pick<Mesh, 'fetch'>, to: string): RequestListener => async (request, response) => {
  const body = request.method === 'POST' ? await text(request) : undefined
  try {
    const answer = await mesh.fetch(`http://${to}${request.url}`, { method: request.method!, ...(body !== undefined && { body }) })
    response.writeHead(answer.status).end(await answer.text())
  } catch (error) {
    response.writeHead(502).end(String(error))
  }
}

const prices: RequestListener = async (request, response) => { response.end(JSON.stringify({ cents: 4_200, path: request.url, body: await text(request) })) }

type Name = 'gateway' | 'order' | 'pricing'
type Tls = NonNullable<NonNullable<MeshInput['clusters']>[string]['tls']>

const spiffe = (name: string): string => `spiffe://shop.local/${name}`

/** The shop's services in this process, each with its files, its listener and its mesh; the customer at the front shows no certificate. */
const openShop = async (t: TestContext) => {
  const files = new Files(t)
  const ca = files.write('ca.pem', shop.root)
  const own = (name: Name) => files.identity(name, shop[name])
  const tlsTo = (from: Name, to: Name): Tls => ({ ca, ...own(from), names: [spiffe(to)] })
  const serve = (name: Name, handle: RequestListener, callers: readonly string[] | undefined): Promise<Listening> => {
    const clients: MeshTlsOptions['clients'] = callers ? { ca, names: [...callers] } : false
    const access = authorize({ rules: [{ callers: callers ? [...callers] : 'anyone' }], default: 'deny' })
    return serveTls(t, { ...own(name), clients, warnBefore: 0 }, access.guard(handle))
  }
  const meshOf = (from: Name, to: Name, address: string): Mesh => meshFor(t, {
    services: { [`${to}.shop.local`]: { cluster: to, timeout: '30s' } },
    clusters: { [to]: { registry: { type: 'static', endpoints: [address] }, connections: 4, tls: tlsTo(from, to) } },
  })
  const pricing = await serve('pricing', prices, [spiffe('order')])
  const orderMesh = meshOf('order', 'pricing', pricing.address)
  const order = await serve('order', passesOn(orderMesh, 'pricing.shop.local'), [spiffe('gateway')])
  const gatewayMesh = meshOf('gateway', 'order', order.address)
  const gateway = await serve('gateway', passesOn(gatewayMesh, 'order.shop.local'), undefined)
  const customer = meshFor(t, {
    services: { 'gateway.shop.local': { cluster: 'gateway', timeout: '30s' } },
    clusters: { gateway: { registry: { type: 'static', endpoints: [gateway.address] }, connections: 4, tls: { ca, names: [spiffe('gateway')] } } },
  })
  return { files, customer, gatewayMesh, orderMesh, servers: { gateway, order, pricing } }
}

describe('mutual TLS between the services of the shop', { skip, timeout: 60_000 }, () => {
  test('each knows the other by its SPIFFE ID, and nobody else comes in', async (t) => {
    const { customer, gatewayMesh, orderMesh, servers } = await openShop(t)
    const response = await customer.fetch('http://gateway.shop.local/orders/42')
    assert.equal(response.status, 200)
    assert.equal((await response.json() as { cents: number }).cents, 4_200)
    // The gateway dials pricing itself: it has a certificate of the shop, and not the one.
    gatewayMesh.update({
      services: { 'pricing.shop.local': { cluster: 'pricing' } },
      clusters: { pricing: { registry: { type: 'static', endpoints: [servers.pricing.address] }, tls: { ca: shop.root, ...shop.gateway, names: [spiffe('pricing')] } } },
    })
    await assert.rejects(gatewayMesh.fetch('http://pricing.shop.local/price/1'), { code: 'ENMESH_TLS' })
    const { code, names } = await servers.pricing.next('client-refused')
    assert.deepEqual([code, names[1]], ['wrong-name', spiffe('gateway')])
    const [own, authority] = orderMesh.status().clusters['pricing']!.certificates
    assert.deepEqual([own!.use, authority!.use, authority!.subject], ['own', 'authority', 'shop-root'])
    assert.ok(own!.expiresIn > 0)
  })

  test('all certificates are replaced under load, and no request fails', async (t) => {
    const { files, customer, gatewayMesh, orderMesh, servers } = await openShop(t)
    const failures: unknown[] = []
    let requests = 0
    let over = false
    const placed = new Set<string>()
    const one = async (index: number): Promise<void> => {
      requests++
      const reference = `r${index}`
      try {
        const response = index % 2 === 0 ? await customer.fetch(`http://gateway.shop.local/orders/${index}`)
          : await customer.fetch('http://gateway.shop.local/orders', { method: 'POST', body: reference })
        const answer = await response.text()
        if (response.status !== 200) return void failures.push(answer)
        const { body } = JSON.parse(answer) as { body: string }
        if (body !== '') placed.add(body)
      } catch (error) {
        failures.push(error)
      }
    }
    const running = load(Number.MAX_SAFE_INTEGER, 8, async (index) => {
      if (over) throw new Error('over')
      await one(index)
    }).catch(() => {})
    const renewals = [
      next(gatewayMesh, 'certificate-renewed'), next(orderMesh, 'certificate-renewed'),
      ...Object.values(servers).map((server) => server.next('certificate-renewed')),
    ]
    for (const name of ['gateway', 'order', 'pricing'] as const) files.identity(name, shop.renewed[name])
    await Promise.all(renewals)
    // Then the authorities: one more is trusted, by all.
    const more = [next(gatewayMesh, 'certificate-renewed'), next(orderMesh, 'certificate-renewed'), ...[servers.order, servers.pricing].map((server) => server.next('certificate-renewed'))]
    files.write('ca.pem', shop.root + shop.otherRoot)
    await Promise.all(more)
    const before = requests
    while (requests < before + 50) await new Promise((resolve) => setImmediate(resolve))
    over = true
    await running
    assert.deepEqual(failures, [])
    assert.ok(placed.size > 0)
    assert.equal(servers.pricing.tls.status().renewals, 2)
    assert.deepEqual(servers.pricing.told.filter(({ event }) => event === 'client-refused'), [])
  })
})
