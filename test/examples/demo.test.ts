import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { directoryKinds, directoryOf, type DirectoryKind } from '../../examples/demo/directory.ts'
import { readOptions } from '../../examples/demo/options.ts'
import { registryFrom } from '../../examples/registry.ts'
import { createMesh } from '../../src/index.ts'
import { runNode } from '../support/child.ts'
import { withoutDnsmasq } from '../support/dnsmasq.ts'
import { etcdMissing } from '../support/etcd.ts'

describe('the options of the demo', () => {
  test('are, unless asked otherwise, addresses in the configuration and all acts, and an end', () => {
    assert.deepEqual(readOptions([], 5), { keep: false, registry: 'static', appMesh: false, gateway: false, acts: [1, 2, 3, 4, 5] })
  })

  test('are a registry, some of the acts in their order, and whether the shop stays open', () => {
    assert.deepEqual(readOptions(['--registry', 'etcd', '--acts=4,1', '--keep'], 5), { keep: true, registry: 'etcd', appMesh: false, gateway: false, acts: [1, 4] })
  })

  test('are the App Mesh definition of the shop', () => {
    assert.deepEqual(readOptions(['--app-mesh', '--acts', '1'], 5), { keep: false, registry: 'static', appMesh: true, gateway: false, acts: [1] })
    assert.equal(readOptions(['--gateway'], 5).gateway, true)
  })

  for (const [args, message] of [
    [['--registry', 'consul'], "--registry takes static, file, dns, etcd, not 'consul'"],
    [['--registry', '__proto__'], "--registry takes static, file, dns, etcd, not '__proto__'"],
    [['--acts', '6'], "--acts takes numbers from 1 to 5 with commas between, each once, as in 1,2: not '6'"],
    [['--acts', '1,1'], "--acts takes numbers from 1 to 5 with commas between, each once, as in 1,2: not '1,1'"],
    [['--acts', ''], "--acts takes numbers from 1 to 5 with commas between, each once, as in 1,2: not ''"],
    [['--acts', '1.5'], "--acts takes numbers from 1 to 5 with commas between, each once, as in 1,2: not '1.5'"],
    [['--app-mesh', '--registry', 'dns'], '--app-mesh has addresses in the place of discovery: leave --registry out'],
    [['--app-mesh', '--gateway'], '--gateway has routes of its own, and the definition has no gateway: leave --app-mesh out'],
    [['--kep'], /Unknown option '--kep'/],
    [['dns'], /Unexpected argument 'dns'/],
    [['--registry'], /'--registry <value>' argument missing/],
  ] as const) {
    test(`are refused with what to write: ${args.join(' ')}`, () => {
      assert.throws(() => readOptions(args, 5), { name: 'TypeError', message })
    })
  }

  test('end the demo with exit code 2 when they are wrong, before anything is started', async () => {
    const { code, output } = await runNode(['examples/demo.ts', '--registry', 'consul'])
    assert.deepEqual([code, output.trim()], [2, "--registry takes static, file, dns, etcd, not 'consul'"])
  })
})

test('a service of the demo whose App Mesh definition cannot be read ends, and says why', async () => {
  const { code, output } = await runNode(['--conditions=enmesh:source', '--eval', "process.env.APP_MESH = 'nowhere.tf'; import('./examples/gateway/gateway.ts')"])
  assert.equal(code, 1)
  assert.match(output, /nowhere\.tf: there is no such file/)
})

describe('a directory of the demo', () => {
  const missing: Partial<Record<DirectoryKind, string | false>> = { dns: withoutDnsmasq, etcd: etcdMissing }
  for (const kind of directoryKinds) {
    test(`tells a mesh where services are, and what changes: ${kind}`, { skip: missing[kind] ?? false }, async (t) => {
      const directory = directoryOf(kind)
      t.after(() => directory.close())
      await directory.open()
      await directory.list('order', ['127.0.0.1:1', '127.0.0.1:2'])
      await directory.list('pricing', ['127.0.0.1:3'])
      const mesh = createMesh({
        services: { 'order.local': { cluster: 'order' } },
        clusters: { order: { registry: registryFrom(directory.whereIs('order')) } },
      })
      t.after(() => mesh.close())
      await mesh.ready()
      const found = (): string => mesh.status().clusters['order']!.endpoints.map(({ address }) => address).sort().join()
      assert.equal(found(), '127.0.0.1:1,127.0.0.1:2')
      if (kind === 'static') return
      // An etcd is told of one change after the other.
      const changed = new Promise<void>((resolve) => {
        mesh.on('endpoint-removed', () => { if (found() === '127.0.0.1:2,127.0.0.1:4') resolve() })
      })
      await directory.list('order', ['127.0.0.1:2', '127.0.0.1:4'])
      await changed
    })
  }

  test('says what to install where its program is missing', async (t) => {
    const { PATH } = process.env
    process.env['PATH'] = '/nowhere'
    t.after(() => { process.env['PATH'] = PATH })
    const directory = directoryOf('etcd')
    t.after(() => directory.close())
    await assert.rejects(directory.open(), { message: 'etcd is not installed: apt-get install etcd-server, or choose another --registry' })
  })
})
