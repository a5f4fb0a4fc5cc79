import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { createMesh, type Mesh } from '../../src/index.ts'
import { createGateway, type Gateway } from '../../src/server/index.ts'
import { RawUpstream } from '../support/raw-upstream.ts'
import { end, rows } from './hostile-requests.ts'

/* The service reads strictly by itself; what it could read in two ways is a fault of the gateway. */

describe('what is sent to get past a gateway', () => {
  const service = new RawUpstream(({ line }) => line.startsWith('HEAD') ? 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n' : 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
  const admin = new RawUpstream()
  let mesh: Mesh
  let gateway: Gateway
  let port: number

  before(async () => {
    await Promise.all([service.start(), admin.start()])
    mesh = createMesh({ services: { 'public.test': { cluster: 'public' }, 'admin.local': { cluster: 'admin' } }, clusters: {
      public: { registry: { type: 'static', endpoints: [service.address] } },
      admin: { registry: { type: 'static', endpoints: [admin.address] } },
    } })
    gateway = createGateway(mesh, { maxBody: 100_000, routes: [
      { match: { host: 'shop.test', path: { prefix: '/public' } }, service: 'public.test' },
      { match: { host: 'shop.test', path: { prefix: '/admin' }, headers: { 'x-staff': 'yes' } }, service: 'admin.local' },
      { match: { host: 'admin.test' }, service: 'admin.local' },
    ] })
    await once(gateway.server.listen(0, '127.0.0.1'), 'listening')
    port = (gateway.server.address() as AddressInfo).port
  })

  after(async () => {
    await gateway.close()
    await mesh.close()
    await Promise.all([service.close(), admin.close()])
  })

  /** All that comes back until the connection ends. */
  const send = async (raw: string): Promise<string> => {
    const socket = connect(port, '127.0.0.1').setEncoding('latin1')
    socket.on('error', () => {})
    let answer = ''
    socket.on('data', (text: string) => { answer += text })
    socket.write(raw, 'latin1')
    await new Promise((resolve) => { socket.once('close', resolve) })
    return answer
  }

  for (const { name, raw, statuses, seen = [] } of rows) {
    test(name, async () => {
      const before = service.requests.length
      const answer = await send(raw + end)
      assert.deepEqual([...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status)), statuses, answer)
      const came = service.requests.slice(before).map(({ line, body }) => `${line.replace(/ HTTP\/1\.1$/, '')}${body === '' ? '' : ` ${body}`}`)
      assert.deepEqual(came, seen)
      const mesh = [...answer.matchAll(/enmesh-error: (\w+)/g)]
      assert.equal(mesh.length, statuses.filter((status) => status >= 400).length, 'each refusal says whose it is')
      assert.deepEqual(service.faults, [])
      assert.deepEqual(admin.connections, [], 'nothing came where nobody was let in')
    })
  }

  test('there are enough of them, each once', () => {
    assert.equal(new Set(rows.map(({ name }) => name)).size, rows.length)
    assert.ok(rows.length >= 200, `${rows.length}`)
  })

  test('the way that is guarded is there', async () => {
    assert.match(await send('GET /admin/x HTTP/1.1\r\nHost: shop.test\r\nx-staff: yes\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 200/)
    assert.equal(admin.requests.length, 1)
  })
})
