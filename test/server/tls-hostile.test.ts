import assert from 'node:assert/strict'
import { connect as connectPlain, createServer as createRelay, type AddressInfo, type Socket } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { connect } from 'node:tls'
import { FakeClock } from '../../src/testing/index.ts'
import { authorize, type MeshTlsOptions } from '../../src/server/index.ts'
import { turnsUntil } from '../scenarios/support/story.ts'
import { serveTls, shopIdentities, type Listening, type ShopIdentities } from './tls-support.ts'

const made = shopIdentities()
const skip = made === undefined && 'there is no openssl to make certificates with'
const shop = made ?? { renewed: {} } as ShopIdentities
const { root, gateway, order } = shop

const mutual: MeshTlsOptions = { ...order, warnBefore: 0, clients: { ca: root } }

const asking = 'GET / HTTP/1.1\r\nhost: order.shop.local\r\nconnection: close\r\n\r\n'

/** What comes back for bytes, until the connection ends. */
const answerTo = (port: number, bytes: string, end = false): Promise<string> => new Promise((resolve) => {
  const socket = connectPlain(port, '127.0.0.1', () => { if (end) socket.end(bytes, 'latin1'); else socket.write(bytes, 'latin1') })
  let answer = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => { answer += chunk }).on('error', () => {}).on('close', () => resolve(answer))
})

const overTls = (port: number, options: object = gateway): Promise<string> => new Promise((resolve) => {
  const socket = connect({ host: '127.0.0.1', port, ca: root, servername: 'order.shop.local', ...options }, () => socket.write(asking))
  let answer = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => { answer += chunk }).on('error', (error: NodeJS.ErrnoException) => { answer += error.code }).on('close', () => resolve(answer))
})

/** Hands every byte on by itself. */
const byteByByte = async (t: TestContext, port: number): Promise<number> => {
  const relay = createRelay((from) => {
    const to = connectPlain(port, '127.0.0.1').setNoDelay(true)
    const hand = (one: Socket, other: Socket): void => {
      one.on('data', (chunk: Buffer) => { for (const byte of chunk) other.write(Uint8Array.of(byte)) }).on('end', () => other.end()).on('error', () => other.destroy()).on('close', () => other.destroy())
    }
    hand(from.setNoDelay(true), to)
    hand(to, from)
  })
  await new Promise<void>((resolve) => { relay.listen(0, '127.0.0.1', resolve) })
  t.after(() => relay.close())
  return (relay.address() as AddressInfo).port
}

const quiet = async ({ server, tls }: Listening): Promise<void> => {
  await turnsUntil(() => tls.status().open === 0, 'no connection over TLS is open')
  const open = await new Promise<number>((resolve) => { server.getConnections((_, count) => resolve(count)) })
  assert.equal(open, 0)
}

const ok = /^HTTP\/1\.1 200 .*ok$/s

describe('what comes to a port of TLS and plain text', { skip, timeout: 60_000 }, () => {
  test('may come byte by byte, TLS too', async (t) => {
    const listening = await serveTls(t, { ...mutual, mode: 'permissive' })
    const port = await byteByByte(t, listening.port)
    assert.match(await answerTo(port, asking), ok)
    assert.match(await overTls(port), ok)
    assert.deepEqual(listening.tls.status().accepted, { tls: 1, plain: 1 })
  })

  test('has no name in plain text, whatever it says of itself', async (t) => {
    const access = authorize({ rules: [{ path: '/health', callers: 'anyone' }, { callers: 'verified' }], default: 'allow' })
    const { port } = await serveTls(t, { ...mutual, mode: 'permissive' }, access.guard((_, response) => { response.end('ok') }))
    const forged = 'x-forwarded-client-cert: URI=spiffe://shop.local/gateway\r\nx-forwarded-proto: https\r\nforwarded: proto=https\r\nx-ssl-client-verify: SUCCESS\r\n'
    assert.match(await answerTo(port, asking.replace('\r\n', `\r\n${forged}`)), /^HTTP\/1\.1 403 .*a caller without a trusted certificate/s)
    assert.match(await answerTo(port, asking.replace(' / ', ' /health ')), ok)
    assert.match(await overTls(port), ok)
  })

  const neither: Readonly<Record<string, readonly [bytes: string, plain: RegExp]>> = {
    'the PROXY protocol': ['PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n', /^HTTP\/1\.1 400 /],
    'the PROXY protocol in binary': ['\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c', /^HTTP\/1\.1 400 /],
    'HTTP/2 in plain text': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', /^HTTP\/1\.1 (?:400|505) /],
    'a hello of SSL 2': ['\x80\x2e\x01\0\x02\0\x15\0\0\0\x10', /^HTTP\/1\.1 400 /],
    'an alert': ['\x15\x03\x01\0\x02\x02\x46', /^HTTP\/1\.1 400 /],
    'application data': ['\x17\x03\x03\0\x05hello', /^HTTP\/1\.1 400 /],
    'a zero': ['\0', /^HTTP\/1\.1 400 /],
    'SSH': ['SSH-2.0-OpenSSH_9.0\r\n', /^HTTP\/1\.1 400 /],
  }
  for (const [name, [bytes, plain]] of Object.entries(neither)) {
    test(`is ended when it is ${name}`, async (t) => {
      const permissive = await serveTls(t, { ...mutual, mode: 'permissive' })
      assert.match(await answerTo(permissive.port, bytes), plain)
      const strict = await serveTls(t, mutual)
      assert.equal(await answerTo(strict.port, bytes), '', 'whoever speaks no TLS hears nothing')
      assert.equal((await strict.next('client-refused')).code, 'plain-text')
      for (const one of [permissive, strict]) await quiet(one)
    })
  }

  const broken: Readonly<Record<string, string>> = {
    'garbage': `\x16${'\xff'.repeat(2_000)}`,
    'an old version': '\x16\x02\0\0\x05hello',
    'a hello that is none': '\x16\x03\x01\0\x05hello',
    'a record that is too long': `\x16\x03\x01\xff\xff${'x'.repeat(1_000)}`,
    'a plain request behind the first byte': `\x16${asking}`,
  }
  for (const [name, bytes] of Object.entries(broken)) {
    test(`is ended when its handshake is ${name}`, async (t) => {
      const listening = await serveTls(t, { ...mutual, mode: 'permissive' })
      const answer = await answerTo(listening.port, bytes)
      assert.match(answer, /^(?:\x15\x03[\0-\x04]\0\x02\x02.)?$/s, 'at most an alert')
      const { code, reason } = await listening.next('handshake-failed')
      assert.equal(code, 'protocol')
      assert.match(reason, /ERR_SSL_/)
      assert.deepEqual(listening.tls.status().accepted, { tls: 0, plain: 0 })
      await quiet(listening)
    })
  }

  test('is ended after its time when it is nothing, or begins a handshake and stops', async (t) => {
    const clock = new FakeClock()
    const silent = await serveTls(t, { ...mutual, mode: 'permissive', runtime: { clock } })
    const nothing = Array.from({ length: 50 }, () => answerTo(silent.port, ''))
    await turnsUntil(() => clock.pending >= 50, 'all are waited for')
    await clock.advance(10_000)
    assert.deepEqual(new Set(await Promise.all(nothing)), new Set(['']))
    assert.equal(silent.tls.status().refused, 50)
    await quiet(silent)
    const stopping = await serveTls(t, { ...mutual, handshakeTimeout: 50 })
    assert.equal(await answerTo(stopping.port, '\x16\x03\x01'), '')
    assert.equal((await stopping.next('handshake-failed')).code, 'timeout')
    await quiet(stopping)
  })

  test('is ended when its certificates are too many to be read', async (t) => {
    const listening = await serveTls(t, mutual)
    const answer = await overTls(listening.port, { key: gateway.key, cert: gateway.cert + root.repeat(300) })
    assert.doesNotMatch(answer, /200/)
    assert.equal((await listening.next('handshake-failed')).code, 'protocol')
    assert.match(await overTls(listening.port), ok)
    await quiet(listening)
  })

  test('leaves nothing behind, however often it is broken', async (t) => {
    const listening = await serveTls(t, { ...mutual, mode: 'permissive' })
    const bytes = [...Object.values(broken), ...Object.values(neither).map(([one]) => one), '', '\x16', 'GET']
    for (let turn = 0; turn < 20; turn++) await Promise.all(bytes.map((one) => answerTo(listening.port, one, true)))
    await quiet(listening)
    assert.match(await overTls(listening.port), ok)
    assert.match(await answerTo(listening.port, asking), ok)
  })
})
