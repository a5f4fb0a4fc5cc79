import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import type { Mesh, MeshError, MeshInput } from '../../src/index.ts'
import { authority, type Authority } from '../support/authority.ts'
import { http2Upstream, type OnStream } from './support/http2-upstream.ts'
import { load, next, rejection, story } from './support/story.ts'

const made = authority()
const skip = made === undefined && 'there is no openssl to make certificates with'
const pki = made ?? {} as Authority
const { root, otherRoot, server, client } = pki

type Tls = NonNullable<NonNullable<MeshInput['clusters']>[string]['tls']>

const over = (address: string, tls: Tls): MeshInput => ({
  services: { 'svc.test': { cluster: 'c', retry: false } },
  clusters: { c: { registry: { type: 'static', endpoints: [address] }, http2: true, tls } },
})

const ask = async (mesh: Mesh): Promise<string> => (await mesh.fetch('http://svc.test/')).text()

/** Says whose certificate it was shown, and whether it went on with an earlier session. */
const whoAmI: OnStream = (stream) => {
  const socket = stream.session!.socket as TLSSocket
  stream.respond({ ':status': 200 })
  stream.end(JSON.stringify({ serial: socket.getPeerCertificate().serialNumber, resumed: socket.isSessionReused() }))
}

const mutual = { ...server, requestCert: true, ca: root }

describe('certificates', { skip }, () => {
  test('renewed in their files they are used from then on, and no request under load fails', async (t) => {
    const upstream = await http2Upstream(t, whoAmI, { tls: mutual })
    const path = join(pki.directory, 'http2-own.pem')
    const write = ({ cert, key }: typeof client): void => writeFileSync(path, `${key}${cert}`)
    write(client)
    const mesh = story(t).mesh(over(upstream.address, { ca: root, cert: { file: path }, key: { file: path } }))
    const serials = new Set<string>()
    const one = async (): Promise<void> => { serials.add((JSON.parse(await ask(mesh)) as { serial: string }).serial) }
    await one()
    const renewed = next(mesh, 'certificate-renewed')
    write(pki.renewed)
    let over_ = false
    void renewed.then(() => { over_ = true })
    while (!over_) await load(8, 4, one)
    await load(40, 4, one)
    assert.equal(serials.size, 2)
    assert.ok(upstream.sessions.length >= 2)
  })

  test('of a further connection go on with the session of the first', async (t) => {
    const upstream = await http2Upstream(t, whoAmI, { tls: server })
    const mesh = story(t).mesh(over(upstream.address, { ca: root }))
    assert.equal((JSON.parse(await ask(mesh)) as { resumed: boolean }).resumed, false)
    upstream.sessions[0]!.close()
    await upstream.until(() => upstream.open === 0)
    assert.equal((JSON.parse(await ask(mesh)) as { resumed: boolean }).resumed, true)
  })

  for (const [what, tls, said] of [
    ['of a stranger', { ca: otherRoot }, /not among `tls\.ca` of the cluster/],
    ['for another name', { ca: root, servername: 'else.test' }, /should be for 'else\.test'/],
  ] as const) {
    test(`${what} are refused, with nothing sent`, async (t) => {
      const upstream = await http2Upstream(t, whoAmI, { tls: server })
      const mesh = story(t).mesh(over(upstream.address, tls))
      const error = await rejection(ask(mesh)) as MeshError
      assert.equal(error.code, 'ENMESH_TLS')
      assert.match(error.message, said)
      assert.equal(upstream.heads.length, 0)
    })
  }

  test('that an endpoint asks for and does not get are missed in words', async (t) => {
    const upstream = await http2Upstream(t, whoAmI, { tls: { ...mutual, rejectUnauthorized: true } })
    const mesh = story(t).mesh(over(upstream.address, { ca: root }))
    const error = await rejection(ask(mesh)) as MeshError
    assert.equal(error.code, 'ENMESH_TLS')
    assert.match(error.message, /asks for a client certificate/)
    assert.equal(upstream.heads.length, 0)
  })
})

