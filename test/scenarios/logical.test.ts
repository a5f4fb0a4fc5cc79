import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { createMesh, registries, type MeshEvents } from '../../src/index.ts'
import { FakeRegistry, settle } from '../../src/testing/index.ts'

/** A server that says which address it listens on, and which host it was asked for. */
const listening = async (t: TestContext, ip: string, port = 0): Promise<number> => {
  const server: Server = createServer((request, response) => { response.end(`${ip} ${request.headers.host}`) })
  server.listen(port, ip)
  await once(server, 'listening')
  t.after(() => { server.closeAllConnections(); server.close() })
  return (server.address() as AddressInfo).port
}

const onLinux = process.platform === 'linux' ? false : '127.0.0.2 is no address of this machine'

test('an endpoint that is a name is dialled at the address that the registry gives, and stays the same one when that changes', { skip: onLinux }, async (t) => {
  const port = await listening(t, '127.0.0.1')
  await listening(t, '127.0.0.2', port)
  const fake = new FakeRegistry()
  const mesh = createMesh({
    services: { 'pricing.test': { cluster: 'c' } },
    clusters: { c: { registry: { type: 'fake' }, connections: 1, keepAlive: '60s' } },
  }, { registries: registries.with(fake.kind) })
  t.after(() => mesh.close())
  const ask = async (): Promise<string> => (await mesh.fetch('http://pricing.test/')).text()
  // No DNS server knows it.
  const address = `pricing.invalid:${port}`
  fake.push({ address, ip: '127.0.0.1' })
  await mesh.ready()
  assert.equal(await ask(), '127.0.0.1 pricing.test')
  const { attempts } = mesh.status().clusters['c']!.endpoints[0]!

  fake.push({ address, ip: '127.0.0.2' })
  await settle()
  assert.equal(await ask(), '127.0.0.1 pricing.test', 'the connection that is open stays in use')
  const [one, other] = await Promise.all([ask(), ask()])
  assert.deepEqual([one, other], ['127.0.0.1 pricing.test', '127.0.0.1 pricing.test'])
  assert.equal(mesh.status().clusters['c']!.endpoints[0]!.attempts, attempts + 3)

  mesh.update({
    services: { 'pricing.test': { cluster: 'c' } },
    clusters: { c: { registry: { type: 'fake' }, connections: 2, keepAlive: '60s' } },
  } as never)
  assert.equal(await ask(), '127.0.0.2 pricing.test', 'new ones go to the new address')
  assert.equal(mesh.status().clusters['c']!.endpoints[0]!.attempts, attempts + 4)
})

test('what a registry gives for an IP address must be one', async (t) => {
  const fake = new FakeRegistry()
  const mesh = createMesh({ clusters: { c: { registry: { type: 'fake' } } } }, { registries: registries.with(fake.kind) })
  t.after(() => mesh.close())
  const failed: MeshEvents['registry-failed'][] = []
  mesh.on('registry-failed', (event) => { failed.push(event) })
  fake.push({ address: 'a.test:80', ip: '10.0.0.1' })
  await mesh.ready()
  fake.push({ address: 'a.test:80', ip: 'elsewhere.test' })
  await settle()
  assert.match(String(failed[0]?.error), /'elsewhere.test' is not an IP address/)
  assert.equal(mesh.status().clusters['c']!.endpoints.length, 1)
})
