import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:https'
import { describe, test, type TestContext } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { inspect } from 'node:util'
import { createMesh, type Mesh, type MeshInput } from '../../src/index.ts'
import { meshTls, type CertificateStatus, type MeshTls, type MeshTlsOptions } from '../../src/server/index.ts'
import { FakeClock, fakeRuntime, scriptedUpstream } from '../../src/testing/index.ts'
import { meshFor } from '../server/support.ts'
import { serveTls, shopIdentities, type ShopIdentities } from '../server/tls-support.ts'
import type { Identity } from '../support/issuer.ts'

const made = shopIdentities()
const skip = made === undefined ? 'there is no openssl to make certificates with' : process.platform === 'win32' && 'links and pipes are made otherwise there'
const shop = made ?? { renewed: {} } as ShopIdentities
const { root, gateway, order, pricing, clerk } = shop

type Tls = Exclude<NonNullable<MeshInput['clusters']>[string]['tls'], boolean | undefined>

const told = ['certificate-renewed', 'certificate-failed', 'certificate-expiring', 'certificate-expired'] as const

type Event = typeof told[number]

interface Told { readonly event: Event, readonly detail: Record<string, unknown> }

/** What both sides are, as far as their certificates go. */
interface Side {
  readonly told: readonly Told[]
  /** Resolves once so many events have been told. */
  readonly heard: (count: number) => Promise<readonly Event[]>
  readonly certificates: () => readonly CertificateStatus[]
  /** Has a request go over a connection of its own. */
  readonly works: () => Promise<void>
}

/** A key and a certificate in files that a pod sees: `tls.key` and `tls.crt` are links through `..data`, which is swapped. */
class Secret {
  readonly directory: string
  #turn = 0

  constructor(t: TestContext, identity: Identity) {
    this.directory = mkdtempSync(join(tmpdir(), 'enmesh-pod-'))
    t.after(() => rmSync(this.directory, { recursive: true, force: true }))
    this.swap(identity)
    for (const name of ['tls.key', 'tls.crt', 'ca.crt']) symlinkSync(join('..data', name), join(this.directory, name))
  }

  get files(): { readonly key: { readonly file: string }, readonly cert: { readonly file: string }, readonly ca: { readonly file: string } } {
    return { key: { file: this.path('tls.key') }, cert: { file: this.path('tls.crt') }, ca: { file: this.path('ca.crt') } }
  }

  path(name: string): string {
    return join(this.directory, name)
  }

  /** Has them be files of their own. */
  unlink(): void {
    for (const name of ['tls.key', 'tls.crt', 'ca.crt']) {
      const text = readFileSync(this.path(name))
      rmSync(this.path(name))
      writeFileSync(this.path(name), text)
    }
  }

  /** All of them at once, as the kubelet does. */
  swap({ key, cert }: Identity): void {
    const [before, after] = [`..${this.#turn}`, `..${++this.#turn}`]
    mkdirSync(this.path(after))
    for (const [name, text] of [['tls.key', key], ['tls.crt', cert], ['ca.crt', root]] as const) writeFileSync(this.path(join(after, name)), text)
    symlinkSync(after, this.path('..data_tmp'))
    renameSync(this.path('..data_tmp'), this.path('..data'))
    rmSync(this.path(before), { recursive: true, force: true })
  }
}

const listening = (source: Pick<Mesh, 'on'> | Pick<MeshTls, 'on'>): Pick<Side, 'told' | 'heard'> => {
  const events: Told[] = []
  const waiting = new Set<() => void>()
  for (const event of told) {
    (source as Pick<MeshTls, 'on'>).on(event, (detail) => {
      events.push({ event, detail: { ...detail } })
      for (const look of waiting) look()
    })
  }
  const heard = (count: number): Promise<readonly Event[]> => new Promise((resolve) => {
    const look = (): void => { if (events.length >= count) resolve(events.map(({ event }) => event)) }
    waiting.add(look)
    look()
  })
  return { told: events, heard }
}

const config = (address: string, tls: Tls): MeshInput => ({
  services: { 'order.shop.local': { cluster: 'order', retry: false } }, clusters: { order: { registry: { type: 'static', endpoints: [address] }, tls } },
})

const works = async (mesh: Mesh): Promise<void> => { assert.equal(await (await mesh.fetch('http://order.shop.local/')).text(), 'ok') }

const closing: Parameters<typeof serveTls>[2] = (_, response) => { response.setHeader('connection', 'close').end('ok') }

interface Rotating {
  /** The identity that it has at first, and the next. */
  readonly before: Identity
  readonly after: Identity
  readonly open: (t: TestContext, secret: Secret) => Promise<Side>
  /** Begins the place of a fault. */
  readonly at: string
}

const sides: Readonly<Record<string, Rotating>> = {
  'a cluster': {
    before: gateway, after: shop.renewed.gateway, at: 'tls.',
    open: async (t, { files }) => {
      const { address } = await serveTls(t, { ...order, clients: { ca: root, names: ['spiffe://shop.local/gateway'] } }, closing)
      const mesh = meshFor(t, config(address, { ...files, warnBefore: 0 }))
      return { ...listening(mesh), certificates: () => mesh.status().clusters['order']!.certificates, works: () => works(mesh) }
    },
  },
  'a listener': {
    before: order, after: shop.renewed.order, at: 'meshTls',
    open: async (t, { files: { ca, ...own } }) => {
      const { address, tls } = await serveTls(t, { ...own, clients: { ca }, warnBefore: 0 }, closing)
      const mesh = meshFor(t, config(address, { ca: root, ...gateway }))
      return { ...listening(tls), certificates: () => tls.status().certificates, works: () => works(mesh) }
    },
  },
}

const serialOf = (side: Side): string => side.certificates().find(({ use }) => use === 'own')!.serial

const messageOf = ({ detail }: Told): string => (detail['error'] as Error).message

for (const [name, { before, after, open, at }] of Object.entries(sides)) {
  describe(`certificates of ${name} in files`, { skip, timeout: 60_000 }, () => {
    test('are taken over when links are swapped, time and again', async (t) => {
      const secret = new Secret(t, before)
      const side = await open(t, secret)
      await side.works()
      for (const [count, identity] of [[1, after], [2, before], [3, after]] as const) {
        const serial = serialOf(side)
        secret.swap(identity)
        assert.deepEqual(await side.heard(count), Array(count).fill('certificate-renewed'))
        assert.notEqual(serialOf(side), serial)
        await side.works()
      }
    })

    test('are not read by halves, whichever of them is written first', async (t) => {
      const secret = new Secret(t, before)
      secret.unlink()
      const side = await open(t, secret)
      for (const [count, { key, cert }] of [[1, pricing], [2, before]] as const) {
        const half = Math.floor(cert.length / 2)
        for (const [file, text] of [['tls.crt', cert.slice(0, half)], ['tls.key', ''], ['tls.crt', cert], ['tls.key', key]] as const) {
          writeFileSync(secret.path(file), text)
          await nextTurn()
        }
        assert.deepEqual(await side.heard(count), Array(count).fill('certificate-renewed'))
      }
      await side.works()
    })

    test('stay as they were while the files cannot be used, which is told once for each reason', async (t) => {
      const secret = new Secret(t, before)
      const side = await open(t, secret)
      const serial = serialOf(side)
      const faults: readonly (readonly [() => void, RegExp])[] = [
        [() => secret.swap({ ...before, key: clerk.key }), /\.key: does not fit the first certificate of `cert`/],
        [() => secret.swap({ ...before, cert: before.cert.slice(0, 300) }), /\.cert: the file '.*tls\.crt' has no certificate in PEM/],
        [() => secret.swap({ ...before, key: '' }), /\.key: the file '.*tls\.key' is empty/],
        [() => { rmSync(secret.path('tls.key')) }, /\.key: the file cannot be read \(ENOENT at '.*tls\.key'\)/],
        [() => { execFileSync('mkfifo', [secret.path('tls.key')]) }, /\.key: '.*tls\.key' is a directory, a pipe or a device/],
      ]
      for (const [index, [happen, message]] of faults.entries()) {
        happen()
        assert.deepEqual(await side.heard(index + 1), Array(index + 1).fill('certificate-failed'))
        const words = messageOf(side.told[index]!)
        assert.match(words, message)
        assert.ok(words.includes(at), words)
        assert.equal(serialOf(side), serial)
        await side.works()
      }
      rmSync(secret.path('tls.key'))
      symlinkSync(join('..data', 'tls.key'), secret.path('tls.key'))
      secret.swap(after)
      assert.equal((await side.heard(faults.length + 1)).at(-1), 'certificate-renewed')
      await side.works()
      const words = inspect(side.told, { depth: 12, showHidden: true })
      for (const { key } of [before, after, clerk]) assert.ok(!words.includes(key.split('\n')[1]!))
    })
  })
}

test('clusters that share files all take them over, once each, and the load goes on', { skip, timeout: 60_000 }, async (t) => {
  const secret = new Secret(t, gateway)
  const { address, told: refused } = await serveTls(t, { ...order, clients: { ca: root, names: ['spiffe://shop.local/gateway'] }, warnBefore: 0 }, closing)
  const names = Array.from({ length: 30 }, (_, index) => `c${index}`)
  const mesh = meshFor(t, {
    services: Object.fromEntries(names.map((name) => [`${name}.shop.local`, { cluster: name, retry: false }])),
    clusters: Object.fromEntries(names.map((name) => [name, { registry: { type: 'static', endpoints: [address] }, tls: { ...secret.files, names: ['spiffe://shop.local/order'], warnBefore: 0 } }])),
  } as MeshInput)
  const { heard, told } = listening(mesh)
  const serials = (): ReadonlySet<string> => new Set(names.map((name) => mesh.status().clusters[name]!.certificates[0]!.serial))
  const [before] = serials()
  secret.swap(shop.renewed.gateway)
  const answers = names.map(async (name) => (await mesh.fetch(`http://${name}.shop.local/`)).text())
  assert.deepEqual(await heard(names.length), names.map(() => 'certificate-renewed'))
  assert.deepEqual(new Set(told.map(({ detail }) => detail['cluster'])), new Set(names))
  assert.equal(serials().size, 1)
  assert.ok(!serials().has(before!))
  assert.deepEqual(await Promise.all(answers), names.map(() => 'ok'))
  assert.deepEqual(refused, [])
})

/** A clock whose date somebody sets, while the time that passes is the same. */
class SetClock extends FakeClock {
  ahead = 0

  override wall(): number {
    return super.wall() + this.ahead
  }
}

describe('certificates that run out', { skip }, () => {
  const day = 24 * 3_600_000

  /** What both sides tell, on a clock whose date is the middle of their certificates' days. */
  const both = () => {
    const runtime = { ...fakeRuntime(), clock: new SetClock() }
    const mesh = createMesh(config('10.0.0.1:1', { ca: root, ...gateway, warnBefore: '1h' }), { runtime, transport: scriptedUpstream({}).send })
    const [{ expiresIn }] = mesh.status().clusters['order']!.certificates as [CertificateStatus]
    runtime.clock.ahead = expiresIn - day
    const options: MeshTlsOptions = { ...order, clients: { ca: root }, warnBefore: '1h', runtime: { clock: runtime.clock } }
    return { clock: runtime.clock, mesh, options }
  }

  test('are warned of in time and told when they are over, on both sides, and the status counts on below 0', async () => {
    const { clock, mesh, options } = both()
    const tls = meshTls(options)
    const server = tls.attach(createServer(tls.options))
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
    const [ofMesh, ofListener] = [listening(mesh), listening(tls)]
    const uses = ({ told }: Pick<Side, 'told'>): readonly string[] => told.map(({ event, detail }) => `${event} ${String(detail['use'])}`)
    await clock.advance(22 * 3_600_000)
    assert.deepEqual([uses(ofMesh), uses(ofListener)], [[], []])
    await clock.advance(3_600_000)
    const expiring = ['certificate-expiring authority', 'certificate-expiring own']
    assert.deepEqual([uses(ofMesh).toSorted(), uses(ofListener).toSorted()], [expiring, expiring])
    for (const { detail } of [...ofMesh.told, ...ofListener.told]) assert.ok(Number(detail['expiresIn']) > 0 && Number(detail['expiresIn']) <= 3_600_000)
    await clock.advance(day)
    for (const { told } of [ofMesh, ofListener]) assert.deepEqual(told.slice(2).map(({ event }) => event), ['certificate-expired', 'certificate-expired'])
    for (const { expiresIn } of [...mesh.status().clusters['order']!.certificates, ...tls.status().certificates]) assert.ok(expiresIn < 0)
    await new Promise((resolve) => { server.close(resolve) })
    await mesh.close()
    assert.equal(clock.pending, 0)
  })

  test('are told of when the date is set forward, and not again when it is set back', async () => {
    const { clock, mesh } = both()
    const { told } = listening(mesh)
    await clock.advance(3_600_000)
    assert.deepEqual(told, [])
    clock.ahead += 3 * day
    await clock.advance(3_600_000)
    assert.deepEqual(told.map(({ event }) => event), Array(2).fill('certificate-expired'))
    clock.ahead -= 10 * day
    await clock.advance(day)
    clock.ahead += 10 * day
    await clock.advance(day)
    assert.equal(told.length, 2)
    await mesh.close()
  })
})
