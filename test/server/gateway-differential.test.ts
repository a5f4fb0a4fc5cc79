import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { createMesh, type Mesh } from '../../src/index.ts'
import { createGateway, type Gateway } from '../../src/server/index.ts'
import { bodyOf } from '../scenarios/support/upstream.ts'
import { portToKeep } from '../support/port.ts'
import { RawUpstream } from '../support/raw-upstream.ts'
import { withoutTool } from '../support/tool.ts'
import { end, rows, type Row } from './hostile-requests.ts'

/*
 * The same rows with other readers: HAProxy behind the gateway, and Node's server behind that, have to find in what goes on the requests that the gateway found
 * in what came; and with HAProxy in front, the gateway finds those that HAProxy has sent, and none beside.
 */

const path = `${process.env['PATH'] ?? ''}:/usr/sbin`
const skip = withoutTool('haproxy', 'apt-get install haproxy', path, '-v')

const configOf = (front: number, gateway: number, behind: number, service: number): string => `global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
  http-reuse always
listen front
  bind 127.0.0.1:${front}
  http-request add-header x-taken-for %[method]
  server gateway 127.0.0.1:${gateway}
listen behind
  bind 127.0.0.1:${behind}
  server service 127.0.0.1:${service}
`

const portOf = (server: Server): number => (server.address() as AddressInfo).port

const listening = async (port: number, of: ChildProcess): Promise<void> => {
  for (;;) {
    assert.equal(of.exitCode, null, 'HAProxy has ended')
    const socket = connect(port, '127.0.0.1')
    const made = await new Promise<boolean>((resolve) => { socket.once('connect', () => resolve(true)).once('error', () => resolve(false)) })
    socket.destroy()
    if (made) return
    await turn()
  }
}

describe('what other readers make of it', { skip }, () => {
  const seen: string[] = []
  const node = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      seen.push(`${request.method} ${request.url}${body.length > 0 ? ` ${body.toString('latin1')}` : ''}`)
      response.setHeader('content-length', '2')
      response.end('ok')
    }, () => {})
  })
  const raw = new RawUpstream(({ line }) => line.startsWith('HEAD') ? 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n' : 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
  const admin = new RawUpstream()
  const directory = mkdtempSync(join(tmpdir(), 'enmesh-'))
  let haproxy: ChildProcess
  let mesh: Mesh
  let gateways: readonly Gateway[]
  let front = 0

  before(async () => {
    await Promise.all([raw.start(), admin.start(), once(node.listen(0, '127.0.0.1'), 'listening')])
    const behind = await portToKeep()
    const at = (address: string): object => ({ registry: { type: 'static', endpoints: [address] }, breaker: false, outlier: false })
    mesh = createMesh({
      services: { 'near.test': { cluster: 'near', retry: false }, 'far.test': { cluster: 'far', retry: false }, 'admin.local': { cluster: 'admin' } },
      clusters: { near: at(raw.address), far: at(`127.0.0.1:${behind}`), admin: at(admin.address) } as never,
    })
    gateways = ['near.test', 'far.test'].map((service) => createGateway(mesh, { maxBody: 100_000, routes: [
      { match: { host: 'shop.test', path: { prefix: '/public' } }, service },
      { match: { host: 'shop.test', path: { prefix: '/admin' }, headers: { 'x-staff': 'yes' } }, service: 'admin.local' },
      { match: { host: 'admin.test' }, service: 'admin.local' },
    ] }))
    for (const { server } of gateways) await once(server.listen(0, '127.0.0.1'), 'listening')
    front = await portToKeep()
    const file = join(directory, 'haproxy.cfg')
    writeFileSync(file, configOf(front, portOf(gateways[0]!.server), behind, portOf(node)))
    haproxy = spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore', env: { ...process.env, PATH: path } })
    await listening(front, haproxy)
  })

  after(async () => {
    await Promise.all(gateways.map((gateway) => gateway.close()))
    await mesh.close()
    haproxy.kill()
    if (haproxy.exitCode === null) await once(haproxy, 'exit')
    await Promise.all([raw.close(), admin.close()])
    node.close()
    node.closeAllConnections()
    rmSync(directory, { recursive: true })
  })

  const answersTo = async (port: number, row: Row): Promise<readonly number[]> => {
    const socket = connect(port, '127.0.0.1').setEncoding('latin1').on('error', () => {})
    let answer = ''
    socket.on('data', (text: string) => { answer += text })
    socket.write(row.raw + end, 'latin1')
    await new Promise((resolve) => { socket.once('close', resolve) })
    return [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status))
  }

  for (const row of rows) {
    test(`behind: ${row.name}`, async () => {
      const before = seen.length
      assert.deepEqual(await answersTo(portOf(gateways[1]!.server), row), row.statuses)
      assert.deepEqual(seen.slice(before), row.seen ?? [])
    })
  }

  for (const row of rows) {
    test(`in front: ${row.name}`, async () => {
      const before = [raw.requests.length, admin.requests.length]
      await answersTo(front, row)
      // HAProxy takes some of them for two requests, and rightly so by its own reading: each of those says what it took it for, and what was hidden in another says nothing.
      for (const { line, fields } of [...raw.requests.slice(before[0]), ...admin.requests.slice(before[1])]) {
        assert.deepEqual(fields.filter(([name]) => name === 'x-taken-for').map(([, method]) => method), [line.split(' ', 1)[0]], line)
      }
      assert.deepEqual([...raw.faults, ...admin.faults], [])
    })
  }
})
