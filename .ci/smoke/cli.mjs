/** The installed command: `node cli.mjs 24`. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

assert.equal(process.versions.node.split('.')[0], process.argv[2])

const { version } = JSON.parse(readFileSync('node_modules/enmesh/package.json', 'utf8'))
const folder = mkdtempSync(join(tmpdir(), 'enmesh-cli-'))
process.on('exit', () => rmSync(folder, { recursive: true }))

// Through the link that npm makes, by the Node that runs this.
const enmesh = (...args) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['node_modules/.bin/enmesh', ...args], { encoding: 'utf8' })
  return { status, stdout, stderr }
}

assert.deepEqual(enmesh('--version'), { status: 0, stdout: `${version}\n`, stderr: '' })
assert.equal(enmesh('chek').status, 2)

const definition = join(folder, 'mesh.json')
writeFileSync(definition, JSON.stringify({
  mesh: { meshName: 'shop' },
  virtualServices: [{ meshName: 'shop', virtualServiceName: 'a.local', spec: { provider: { virtualNode: { virtualNodeName: 'a' } } } }],
  virtualNodes: [{
    meshName: 'shop', virtualNodeName: 'a',
    spec: { listeners: [{ portMapping: { port: 80, protocol: 'http' } }], serviceDiscovery: { dns: { hostname: 'a.internal' } } },
  }],
}))
const config = join(folder, 'enmesh.yaml')
for (const args of [['check', definition], ['import', definition, '--out', config], ['check', config], ['diff', '--exit-code', definition, config]]) {
  const { status, stderr } = enmesh(...args)
  assert.deepEqual([args[0], status, stderr], [args[0], 0, ''])
}
const { status, stdout } = enmesh('explain', config, 'GET', 'http://a.local/x')
assert.equal(status, 0)
assert.match(stdout, /to {7}a: dns a\.internal:80/)
console.log(`Node ${process.version}: the command line works`)
