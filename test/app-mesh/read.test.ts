import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, test, type TestContext } from 'node:test'
import { AppMeshError, readAppMesh, type AppMeshReadOptions, type Fault } from '../../src/app-mesh/index.ts'
import { everything } from './support.ts'

const source = (file: string, json: unknown) => ({ file, text: JSON.stringify(json) })

const of = { meshName: 'shop' }
const mesh = { ...of, spec: {} }
const node = { ...of, virtualNodeName: 'a', spec: { serviceDiscovery: { dns: { hostname: 'a.internal' } } } }
const router = { ...of, virtualRouterName: 'r', spec: {} }
const route = (virtualNode: string) => ({
  ...of, virtualRouterName: 'r', routeName: 'all', spec: { httpRoute: { match: { prefix: '/' }, action: { weightedTargets: [{ virtualNode, weight: 1 }] } } },
})

const faultsOf = async (sources: Parameters<typeof readAppMesh>[0], options?: AppMeshReadOptions): Promise<readonly Fault[]> => {
  try {
    await readAppMesh(sources, options)
  } catch (error) {
    assert.ok(error instanceof AppMeshError, String(error))
    return error.faults
  }
  return assert.fail('it was not refused')
}

describe('the shapes that the command line has', () => {
  const metadata = { arn: 'arn:x', createdAt: 1, lastUpdatedAt: 1, meshOwner: '1', resourceOwner: '1', uid: 'x', version: 3 }
  const described = <Body extends object>(body: Body) => ({ ...body, metadata, status: { status: 'ACTIVE' } })
  const shapes: Readonly<Record<string, readonly unknown[]>> = {
    'input of create and update': [mesh, { ...node, clientToken: 'once' }, router, route('a')],
    'answers of describe': [{ mesh: described(mesh) }, { virtualNode: described(node) }, { virtualRouter: described(router) }, { route: described(route('a')) }],
    'a list of inputs': [[mesh, node, router, route('a')]],
    'a list of answers': [[{ mesh: described(mesh) }, { virtualNode: described(node) }], [{ virtualRouter: router }, { route: route('a') }]],
    'a whole document': [{ mesh, virtualGateways: [], gatewayRoutes: [], virtualServices: [], virtualRouters: [router], routes: [route('a')], virtualNodes: [node] }],
    'one with the answers of describe in it': [{ meshes: [described(mesh)], virtualNodes: [described(node)], virtualRouters: [router], routes: [route('a')], nextToken: 'x' }],
  }
  for (const [title, files] of Object.entries(shapes)) {
    test(title, async () => {
      const { document, warnings } = await readAppMesh(files.map((file, index) => source(`${index}.json`, file)))
      assert.deepEqual(document, { mesh, virtualGateways: [], gatewayRoutes: [], virtualServices: [], virtualRouters: [router], routes: [route('a')], virtualNodes: [node] })
      assert.deepEqual(warnings, [])
    })
  }

  test('everything, resource by resource, is the same document', async () => {
    const whole = everything()
    const { document } = await readAppMesh(Object.values(whole).flat().map((body, index) => source(`${index}.json`, body)))
    assert.deepEqual(document, whole)
  })
})

describe('several sources', () => {
  test('a later one replaces a resource, as an update does, and says so', async () => {
    const b = { ...node, virtualNodeName: 'b' }
    const { document, warnings } = await readAppMesh([source('shop.json', { mesh, virtualNodes: [node, b], virtualRouters: [router], routes: [route('a')] }), source('update.json', route('b'))])
    assert.deepEqual(document.routes, [route('b')])
    assert.deepEqual(warnings, [{
      severity: 'warning', file: 'update.json', line: 1, column: 1, resource: 'route all', message: 'replaces the definition of the same name that shop.json has',
    }])
  })

  test('the same once more is no matter', async () => {
    const { warnings } = await readAppMesh([source('1.json', [mesh, node]), source('2.json', node)])
    assert.deepEqual(warnings, [])
  })

  test('what one lacks another may have', async () => {
    const { warnings } = await readAppMesh([source('route.json', route('a')), source('rest.json', [mesh, node, router])])
    assert.deepEqual(warnings, [])
  })

  test('faults of all are told, with the file of each', async () => {
    const faults = await faultsOf([source('1.json', { ...node, spec: 5 }), { file: '2.json', text: '{' }, source('3.json', { ...mesh, x: 1 })])
    assert.deepEqual(faults.map(({ file, path }) => [file, path]), [['2.json', undefined], ['1.json', 'spec'], ['3.json', 'x']])
  })

  test('a reference is not complained about while a source cannot be read', async () => {
    const faults = await faultsOf([source('1.json', [mesh, route('a')]), { file: '2.json', text: '{' }])
    assert.deepEqual(faults.map(({ file }) => file), ['2.json'])
  })
})

describe('several meshes', () => {
  const other = (body: object) => ({ ...body, meshName: 'other' })
  const both = [source('shop.json', [mesh, node]), source('other.json', [other(mesh), other(node)])]

  test('are refused by their names', async () => {
    const [fault] = await faultsOf(both)
    assert.match(fault!.message, /^several meshes are defined: 'shop', 'other'\. Say which is meant by the option `mesh`, or by --mesh NAME$/)
  })

  test('also where only resources name them', async () => {
    assert.match((await faultsOf([source('1.json', node), source('2.json', other(node))]))[0]!.message, /^several meshes are defined: 'shop', 'other'/)
  })

  test('the option says which is meant, and the other is left out', async () => {
    const { document } = await readAppMesh(both, { mesh: 'other' })
    assert.deepEqual([document.mesh, document.virtualNodes], [other(mesh), [other(node)]])
    assert.match((await faultsOf(both, { mesh: 'othr' }))[0]!.message, /there is no mesh 'othr': did you mean 'other'\?/)
  })

  test('resources that name none are told of once, with what to do', async () => {
    const nameless = ({ meshName: _, ...body }: typeof node) => body
    const sources = [source('1.json', nameless(node)), source('2.json', nameless({ ...node, virtualNodeName: 'b' }))]
    const [fault, ...others] = await faultsOf(sources)
    assert.deepEqual([fault!.file, fault!.resource, others], ['1.json', 'virtualNode a', []])
    assert.match(fault!.message, /^names no mesh, nor do 1 more, and nothing that is read does: say its name by the option `mesh`/)
    assert.deepEqual((await readAppMesh(sources, { mesh: 'shop' })).document.virtualNodes, [{ ...node }, { ...node, virtualNodeName: 'b' }])
    const between = await faultsOf([source('1.json', nameless(node)), ...both])
    assert.ok(between.some(({ message }) => message.startsWith("names no mesh, and several are named: 'shop', 'other'")))
  })

  test('a mesh that nobody defined has its defaults, and a warning', async () => {
    const { document, warnings } = await readAppMesh(source('node.json', node))
    assert.deepEqual(document.mesh, { meshName: 'shop' })
    assert.match(warnings[0]!.message, /mesh 'shop' itself is not defined in what was read: its defaults are taken/)
  })
})

test('a value for a name that stands nowhere has no effect, and a warning says so', async () => {
  const manifest = `apiVersion: appmesh.k8s.aws/v1beta2\nkind: Mesh\nmetadata: { name: "\${STAGE}-shop" }\n`
  const given = { parameters: { STAGE: 'test', STAGF: 'prod', 'AWS::Region': 'eu-west-1' }, variables: { domain: 'a', 'aws_lb.main.dns_name': 'b' } }
  const { document, warnings } = await readAppMesh({ file: 'mesh.yaml', text: manifest }, given)
  assert.equal(document.mesh.meshName, 'test-shop')
  const message = 'has no effect: nothing of this name stands in what was read'
  assert.deepEqual(warnings, [['parameters', 'STAGF'], ['variables', 'domain']].map(([option, name]) => ({ severity: 'warning', file: '', path: `${option}["${name}"]`, message })))
})

describe('files', () => {
  const directory = (t: TestContext, files: Readonly<Record<string, string>>): string => {
    const path = mkdtempSync(join(tmpdir(), 'enmesh-app-mesh-'))
    t.after(() => rmSync(path, { recursive: true }))
    for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text)
    return path
  }

  test('by path, by URL, and all those right in a directory, in the order of their names', async (t) => {
    const path = directory(t, { 'b.json': `\uFEFF${JSON.stringify(node)}`, 'a.json': JSON.stringify(mesh), 'README.md': '# no' })
    for (const sources of [path, pathToFileURL(path), [join(path, 'a.json'), pathToFileURL(join(path, 'b.json'))]]) {
      const { document } = await readAppMesh(sources)
      assert.deepEqual([document.mesh, document.virtualNodes], [mesh, [node]])
    }
  })

  test('in a directory the values that Terraform takes by itself count, in its order', async (t) => {
    const path = directory(t, {
      'main.tf': 'variable "name" {}\nresource "aws_appmesh_mesh" "shop" {\n  name = var.name\n}\n',
      'a.auto.tfvars': 'name = "auto"\n', 'terraform.tfvars': 'name = "first"\n', 'prod.tfvars': 'name = "prod"\n', 'other.tfvars.json': '{ "name": "other" }',
    })
    assert.equal((await readAppMesh(path)).document.mesh.meshName, 'auto')
    assert.equal((await readAppMesh([path, join(path, 'prod.tfvars')])).document.mesh.meshName, 'prod')
  })

  test('what else lies in a directory is left out with a warning, and a file that is named twice is read once', async (t) => {
    const path = directory(t, { 'mesh.json': JSON.stringify([mesh, node]), 'package.json': '{ "name": "x" }', 'empty.yaml': '' })
    const { warnings } = await readAppMesh([path, join(path, 'mesh.json')])
    assert.deepEqual(warnings.map(({ file, message }) => [file, message]), [
      [join(path, 'empty.yaml'), 'is empty: it is left out'], [join(path, 'package.json'), 'is in no format that is known here: it is left out'],
    ])
    assert.match((await faultsOf(join(path, 'package.json')))[0]!.message, /is no resource of App Mesh/)
  })

  test('a directory without any is refused', async (t) => {
    const path = directory(t, { 'README.md': '# no' })
    const [fault] = await faultsOf(path)
    assert.deepEqual([fault!.file, fault!.message], [path, 'is a directory without a .json, .yaml, .yml, .template or .tf file right in it'])
  })

  test('text with a byte order mark is read too', async () => {
    assert.deepEqual((await readAppMesh({ file: 'a.json', text: `\uFEFF${JSON.stringify(mesh)}` })).document.mesh, mesh)
  })
})
