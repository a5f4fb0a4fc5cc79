import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { fromAppMesh } from '../../src/app-mesh/index.ts'
import { createMesh, loadConfig, type MeshInput } from '../../src/index.ts'
import { seededRandom } from '../../src/testing/index.ts'
import { enmesh, folder } from '../cli/support.ts'
import { read } from './support.ts'

const meshName = 'shop'
const versions = ['1', '2', '3', '4', '5', '6']

const route = (routeName: string, virtualNode: string, match: object, priority?: number) => ({
  meshName, virtualRouterName: 'r', routeName, spec: { ...(priority !== undefined && { priority }), httpRoute: { match, action: { weightedTargets: [{ virtualNode, weight: 1 }] } } },
})

const document = {
  mesh: { meshName },
  virtualServices: [{ meshName, virtualServiceName: 'a.local', spec: { provider: { virtualRouter: { virtualRouterName: 'r' } } } }],
  virtualRouters: [{ meshName, virtualRouterName: 'r', spec: {} }],
  routes: [
    route('all', '1', { prefix: '/' }),
    route('price', '2', { prefix: '/price' }),
    route('list', '3', { path: { exact: '/price/list' }, method: 'GET' }),
    route('acme', '4', { prefix: '/price', headers: [{ name: 'x-tenant', match: { regex: '(?i)acme' } }, { name: 'x-tenant', invert: true, match: { suffix: 'E' } }] }, 7),
    route('debug', '5', { prefix: '/', queryParameters: [{ name: 'debug' }], headers: [{ name: 'x-age', match: { range: { start: 10, end: 20 } } }] }, 3),
    route('numbers', '6', { path: { regex: '/price/[0-9]+' }, headers: [{ name: 'x-old', invert: true }] }, 5),
  ],
  virtualNodes: versions.map((virtualNodeName) => ({ meshName, virtualNodeName, spec: { listeners: [{ portMapping: { port: 80, protocol: 'http' } }], serviceDiscovery: { dns: { hostname: '127.0.0.1' } } } })),
}

/** What `enmesh import` writes of a document, loaded as any file is. */
const imported = async (t: TestContext): Promise<MeshInput> => {
  const at = folder(t, { 'mesh.json': document })
  const { code, stderr } = await enmesh(['import', at('mesh.json'), '--out', at('enmesh.yaml')])
  assert.deepEqual([code, stderr], [0, ''])
  return loadConfig(at('enmesh.yaml'))
}

test('200 requests take the same routes from a document and from what `enmesh import` wrote of it', async (t) => {
  const config = fromAppMesh((await read(document)).document)
  const meshes = [createMesh(config), createMesh(await imported(t))]
  t.after(() => Promise.all(meshes.map((mesh) => mesh.close())))
  await Promise.all(meshes.map((mesh) => mesh.ready()))
  const random = seededRandom(7)
  const one = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)]!
  const taken = new Set<string | undefined>()
  for (let i = 0; i < 200; i++) {
    const url = `http://a.local${one(['/', '/price', '/prices', '/price/list', '/price/42', '//price//42', '/price/x/../7'])}${one(['', '?debug', '?v=1'])}`
    const headers = one<Record<string, string>>([{}, { 'x-tenant': 'acme' }, { 'x-tenant': 'ACME' }, { 'x-age': '12' }, { 'x-age': '20' }, { 'x-old': '' }])
    const [before, after] = meshes.map((mesh) => mesh.explain(url, { headers }))
    assert.deepEqual(after, before)
    taken.add(before!.route)
  }
  assert.deepEqual([...taken].sort(), ['acme', 'all', 'debug', 'list', 'numbers', 'price'])
})
