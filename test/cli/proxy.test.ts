import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { toEnvoy, toHaproxy, toNginx } from '../../src/proxies/index.ts'
import { enmesh, folder, shop } from './support.ts'

const config = {
  services: { 'pricing.shop.local': { cluster: 'pricing', timeout: '2s' } },
  clusters: { pricing: { registry: { type: 'static', endpoints: ['10.0.0.1:8080'] } } },
} as const

describe('enmesh proxy', () => {
  for (const [name, write] of [['haproxy', toHaproxy], ['nginx', toNginx], ['envoy', toEnvoy]] as const) {
    test(`writes the configuration for ${name}, and says beside it what is not in it`, async (t) => {
      const { code, stdout, stderr } = await enmesh(['proxy', folder(t, { 'mesh.json': config })('mesh.json'), '--for', name])
      const { text, unexpressed } = write(config)
      assert.equal(code, 0)
      assert.equal(stdout, text)
      for (const { path, instead } of unexpressed) assert.ok(stderr.includes(`warning: ${path}: `) && stderr.includes(instead), path)
    })
  }

  test('one remark for several places', async (t) => {
    const many = { services: Object.fromEntries([1, 2, 3, 4, 5].map((number) => [`s${number}.test`, ['10.0.0.1:80']])) }
    const { stderr } = await enmesh(['proxy', folder(t, { 'mesh.json': many })('mesh.json'), '--for', 'nginx'])
    assert.match(stderr, /^warning: services\["s1\.test"\]\.breaker, services\["s2\.test"\]\.breaker, services\["s3\.test"\]\.breaker and 2 more: nginx goes on calling \(/m)
  })

  test('as JSON', async (t) => {
    const { stdout, stderr } = await enmesh(['proxy', folder(t, { 'mesh.json': config })('mesh.json'), '--for', 'haproxy', '--json'])
    const { ok, text, unexpressed } = JSON.parse(stdout) as { ok: boolean, text: string, unexpressed: unknown }
    assert.deepEqual({ ok, text, unexpressed }, { ok: true, ...toHaproxy(config) })
    assert.equal(stderr, '')
  })

  test('into a file, and over one only if told to', async (t) => {
    const at = folder(t, { 'mesh.json': config })
    const { code, stdout } = await enmesh(['proxy', at('mesh.json'), '--for', 'haproxy', '--out', at('haproxy.cfg'), '--listen', '127.0.0.1:9999', '--threads', '2'])
    assert.equal(code, 0)
    assert.match(stdout, /haproxy\.cfg: the configuration of HAProxy, \d+ remarks\n$/)
    assert.equal(readFileSync(at('haproxy.cfg'), 'utf8'), toHaproxy(config, { listen: '127.0.0.1:9999', threads: 2 }).text)
    assert.match((await enmesh(['proxy', at('mesh.json'), '--for', 'nginx', '-o', at('haproxy.cfg')])).stderr, /is there already: write --force/)
    assert.equal((await enmesh(['proxy', at('mesh.json'), '--for', 'nginx', '-o', at('haproxy.cfg'), '-f'])).code, 0)
  })

  test('out of a definition of App Mesh', async (t) => {
    const path = folder(t, { 'mesh.json': shop() })('mesh.json')
    const { code, stdout } = await enmesh(['proxy', path, '--as', 'gateway-node', '--for', 'haproxy', '--endpoints', 'pricing-v1=10.0.0.1:80', '--endpoints', 'pricing-v2=10.0.0.2:80'])
    assert.equal(code, 0)
    assert.match(stdout, /acl s0 var\(txn\.host\) -m str -- 'pricing\.shop\.local'/)
    assert.match(stdout, /server s0 10\.0\.0\.2:80/)
  })

  test('endpoints of clusters that the proxy cannot follow', async (t) => {
    const followed = { ...config, clusters: { pricing: { registry: { type: 'consul', service: 'pricing' } } } }
    const path = folder(t, { 'mesh.json': followed })('mesh.json')
    const refused = await enmesh(['proxy', path, '--for', 'nginx'])
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /^error: clusters\.pricing\.registry: no proxy can follow a registry of type 'consul'/m)
    const { code, stdout } = await enmesh(['proxy', path, '--for', 'nginx', '--endpoints', 'pricing=10.0.0.1:80,10.0.0.2:80'])
    assert.equal(code, 0)
    assert.match(stdout, /server 10\.0\.0\.2:80 /)
  })

  test('certificate and key in one file for HAProxy', async (t) => {
    const secured = { ...config, clusters: { pricing: { ...config.clusters.pricing, tls: { cert: { file: '/a.pem' }, key: { file: '/a.key' } } } } }
    const path = folder(t, { 'mesh.json': secured })('mesh.json')
    assert.match((await enmesh(['proxy', path, '--for', 'haproxy'])).stderr, /^error: clusters\.pricing\.tls\.cert: HAProxy reads a certificate and its key from one file/m)
    assert.match((await enmesh(['proxy', path, '--for', 'haproxy', '--bundle', 'pricing=/both.pem'])).stdout, /crt '\/both\.pem'/)
  })

  test('is wrongly called', async (t) => {
    const path = folder(t, { 'mesh.json': config })('mesh.json')
    assert.match((await enmesh(['proxy', path])).stderr, /required option '--for <proxy>'/)
    assert.match((await enmesh(['proxy', path, '--for', 'squid'])).stderr, /Allowed choices are haproxy, nginx, envoy/)
    assert.match((await enmesh(['proxy', path, '--for', 'nginx', '--threads', 'x'])).stderr, /argument 'x' is invalid\. It is a whole number from 1 to 64/)
    assert.match((await enmesh(['proxy', path, '--for', 'nginx', '--out', ''])).stderr, /--out is empty: write the name of a file/)
    assert.match((await enmesh(['proxy', path, '--for', 'haproxy', '--admin', ''])).stderr, /options\.admin: is empty/)
    assert.match((await enmesh(['proxy', path, '--for', 'haproxy', '--bundle', 'pricing='])).stderr, /options\.certificates\.pricing\.bundle: is empty/)
    assert.match((await enmesh(['proxy', path, '--for', 'nginx', '--listen', 'x'])).stderr, /options\.listen: 'x' is not where one could listen/)
  })
})
