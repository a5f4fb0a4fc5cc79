import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { createMesh, loadConfig } from '../../src/index.ts'
import { enmesh, folder, route, shop } from './support.ts'

describe('enmesh import', () => {
  test('writes a configuration that says where each part came from', async (t) => {
    const path = folder(t, { 'mesh.json': shop() })('mesh.json')
    const { code, stdout, stderr } = await enmesh(['import', path, '--as', 'gateway-node'])
    assert.deepEqual([code, stderr], [0, ''])
    for (const line of [
      '# yaml-language-server: $schema=./node_modules/enmesh/dist/schema.json',
      `# Made by \`enmesh import\` of the App Mesh mesh 'shop', for 'gateway-node' (gateway-node in ${path}), out of`,
      `  # Virtual service pricing.shop.local in ${path}, routed by pricing in ${path}`,
      `      # Route canary in ${path}`,
      '          headers: { x-tenant: acme }',
      '        to: { pricing-v1: 90, pricing-v2: 10 }',
      `  # Virtual node pricing-v2 in ${path}`,
      `# Egress filter DROP_ALL (by default) of the mesh, shop in ${path}, and the backends of 'gateway-node'`,
    ]) assert.ok(stdout.split('\n').includes(line), `${line}\nis not in\n${stdout}`)
    // stock is no backend of the gateway.
    assert.doesNotMatch(stdout, /stock/)
  })

  test('writes a file that loads, and replaces none unless told to', async (t) => {
    const at = folder(t, { 'mesh.json': shop(), 'old.yaml': 'mine' })
    const { code, stdout } = await enmesh(['import', at('mesh.json'), '--out', at('enmesh.yaml')])
    assert.deepEqual([code, stdout], [0, `${at('enmesh.yaml')}: 2 services, 3 clusters\n`])
    const mesh = createMesh(await loadConfig(at('enmesh.yaml')))
    assert.deepEqual(Object.keys(mesh.status().services), ['pricing.shop.local', 'stock.shop.local'])
    await mesh.close()
    const refused = await enmesh(['import', at('mesh.json'), '--out', at('old.yaml')])
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, /old\.yaml is there already: write --force/)
    assert.equal(readFileSync(at('old.yaml'), 'utf8'), 'mine')
    assert.equal((await enmesh(['import', at('mesh.json'), '-o', at('old.yaml'), '--force'])).code, 0)
    assert.match(readFileSync(at('old.yaml'), 'utf8'), /^services:/m)
  })

  test('writes nothing where there are faults', async (t) => {
    const at = folder(t, { 'mesh.json': { ...shop(), mesh: {} } })
    assert.equal((await enmesh(['import', at('mesh.json'), '-o', at('enmesh.yaml')])).code, 1)
    assert.equal(existsSync(at('enmesh.yaml')), false)
  })

  for (const [what, args, said] of [
    ['a name that does not say YAML', ['--out', 'enmesh.json'], /--out takes a name that ends in \.yaml or \.yml/],
    ['a directory that is not there', ['--out', '/nowhere/enmesh.yaml'], /\/nowhere\/enmesh\.yaml cannot be written: ENOENT/],
  ] as const) {
    test(`refuses ${what}`, async (t) => {
      const { code, stderr } = await enmesh(['import', folder(t, { 'mesh.json': shop() })('mesh.json'), ...args])
      assert.equal(code, 2)
      assert.match(stderr, said)
    })
  }

  test('refuses a configuration of enmesh', async (t) => {
    const { code, stderr } = await enmesh(['import', folder(t, { 'mesh.yaml': 'services: {}\n' })('mesh.yaml')])
    assert.equal(code, 2)
    assert.match(stderr, /is a configuration of enmesh already/)
  })

  test('keeps texts that would mean something in a file of enmesh or in YAML', async (t) => {
    const odd = ['${HOME}', '$${x}', 'yes', '010', 'null', '- a', '# b', '{ c: 1 }', 'ö', '"']
    const mesh = shop()
    mesh.routes.push(...odd.map((exact, i) => route(`odd-${i}`, { stock: 1 }, { match: { prefix: '/', headers: [{ name: 'x', match: { exact } }] } })))
    const at = folder(t, { 'mesh.json': mesh })
    assert.equal((await enmesh(['import', at('mesh.json'), '-o', at('enmesh.yaml')])).code, 0)
    const { services } = await loadConfig(at('enmesh.yaml'), { env: { HOME: 'wrong' } })
    const { routes } = services!['pricing.shop.local'] as { routes: readonly { match?: { headers?: { x?: string } } }[] }
    assert.deepEqual(routes.map(({ match }) => match?.headers?.x).filter((text) => text !== undefined).sort(), [...odd].sort())
  })

  test('lets no name break out of a comment, or bring in what is not for the eye', async (t) => {
    const name = 'mesh\n  evil: 1\r  evil: 2\u2028\u001b[2J.json'
    const at = folder(t, { [name]: shop() })
    const { code } = await enmesh(['import', at(name), '--out', at('enmesh.yaml')])
    assert.equal(code, 0)
    const text = readFileSync(at('enmesh.yaml'), 'utf8')
    assert.deepEqual(text.split('\n').filter((line) => line.includes('evil') && !/^ *#/.test(line)), [])
    assert.doesNotMatch(text, /[\r\u001b\u2028]/)
  })

  test('puts given addresses in the place of discovery, and says so', async (t) => {
    const { stdout } = await enmesh(['import', folder(t, { 'mesh.json': shop() })('mesh.json'), '--endpoints', 'stock=127.0.0.1:1,127.0.0.1:2'])
    assert.match(stdout, /# Virtual node stock in .*; its endpoints were given to `enmesh import`/)
    assert.match(stdout, /type: static\n +endpoints: \[ 127\.0\.0\.1:1, 127\.0\.0\.1:2 \]/)
  })

  test('tells the configuration and its origins as JSON', async (t) => {
    const path = folder(t, { 'mesh.json': shop() })('mesh.json')
    const { stdout } = await enmesh(['import', path, '--json'])
    const { ok, config, origins } = JSON.parse(stdout) as { ok: boolean, config: { services: object }, origins: { clusters: Record<string, unknown> } }
    assert.equal(ok, true)
    assert.deepEqual(Object.keys(config.services), ['pricing.shop.local', 'stock.shop.local'])
    assert.deepEqual(origins.clusters['stock'], { file: path, resource: 'virtualNode stock' })
  })
})
