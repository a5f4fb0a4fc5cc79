import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { asTemplate } from '../app-mesh/writers.ts'
import { enmesh, folder, shop } from './support.ts'

const native = 'services:\n  a.local: { cluster: a }\nclusters:\n  a: { registry: { type: static, endpoints: ["10.0.0.1:80"] } }\n'

describe('enmesh check', () => {
  for (const [what, name, content, said] of [
    ['API JSON', 'mesh.json', shop(), /App Mesh, mesh 'shop'/],
    ['a template', 'mesh.yaml', JSON.stringify(asTemplate([{ kind: 'mesh', body: { meshName: 'shop' } }])), /App Mesh, mesh 'shop': nothing in it/],
    ['a manifest', 'mesh.yml', 'apiVersion: appmesh.k8s.aws/v1beta2\nkind: Mesh\nmetadata: { name: shop }\nspec: {}\n', /App Mesh, mesh 'shop'/],
    ['Terraform', 'mesh.tf', 'resource "aws_appmesh_mesh" "shop" {\n  name = "shop"\n}\n', /App Mesh, mesh 'shop'/],
    ['a configuration in YAML', 'mesh.yaml', native, /a configuration of enmesh: 1 service, 1 cluster/],
    ['a configuration in JSON', 'mesh.json', { services: { 'a.local': ['10.0.0.1:80'] } }, /a configuration of enmesh: 1 service, 0 clusters|a configuration of enmesh: 1 service/],
    ['a configuration in a module', 'mesh.mjs', "export default { services: { 'a.local': ['10.0.0.1:80'] } }", /a configuration of enmesh: 1 service/],
  ] as const) {
    test(`tells by its content what a file is: ${what}`, async (t) => {
      const { code, stdout, stderr } = await enmesh(['check', folder(t, { [name]: content })(name)])
      assert.equal(code, 0, stderr)
      assert.match(stdout, said)
    })
  }

  for (const [what, name, content, said] of [
    ['a fault of a configuration, with its line', 'mesh.yaml', native.replace('cluster: a', 'cluster: b'), /^error: \S+mesh\.yaml:2:14: services\["a\.local"\]\.cluster: there is no cluster 'b'/],
    ['YAML that is none', 'mesh.yaml', 'services:\n\ta: 1\n', /^error: \S+mesh\.yaml:2:1: /],
    ['JSON that is none', 'mesh.json', '{ "services": { ', /^error: \S+mesh\.json:1:\d+: the file ends too early/],
    ['JSON of App Mesh that is none', 'mesh.json', '{ "virtualNodes": [ ', /^error: \S+mesh\.json:1:\d+: the file ends too early/],
    ['something else', 'mesh.yaml', 'hello: 1\n', /^error: \S+mesh\.yaml: is in no format that is known here: give CloudFormation, Kubernetes manifests, Terraform, JSON of the App Mesh API$/m],
    ['an empty file', 'mesh.yaml', '', /^error: \S+mesh\.yaml: is empty: give/],
    ['a route to a node that is not there', 'mesh.json', JSON.stringify(shop()).replace('"virtualNode":"pricing-v1"', '"virtualNode":"pricing-v9"'), /^warning: \S+mesh\.json:\d+:\d+, route all: .*weightedTargets\[0\]\.virtualNode/m],
  ] as const) {
    test(`tells of ${what}`, async (t) => {
      const { stderr } = await enmesh(['check', folder(t, { [name]: content })(name)])
      assert.match(stderr, said)
    })
  }

  test('tells what has no effect, in the words and at the place of the file', async (t) => {
    const mesh = shop()
    Object.assign((mesh.virtualNodes[0]!.spec as { listeners: object[] }).listeners[0]!, { outlierDetection: { maxServerErrors: 5, interval: { unit: 's', value: 10 }, baseEjectionDuration: { unit: 's', value: 30 }, maxEjectionPercent: 50 } })
    const { code, stderr } = await enmesh(['check', folder(t, { 'mesh.json': mesh })('mesh.json')])
    assert.equal(code, 0)
    assert.match(stderr, /^warning: \S+mesh\.json:\d+:\d+, virtualNode pricing-v1: virtualNodes\[0\]\.spec\.listeners\[0\]\.outlierDetection: has one endpoint/m)
  })

  test('reads App Mesh files together, and configurations one by one', async (t) => {
    const { mesh, ...rest } = shop()
    const at = folder(t, { 'mesh.json': { mesh }, 'rest.json': rest, 'a.yaml': native, 'b.yaml': native })
    const { code, stdout } = await enmesh(['check', ...['mesh.json', 'a.yaml', 'rest.json', 'b.yaml'].map(at), '--json'])
    const { definitions } = JSON.parse(stdout) as { definitions: readonly { files: readonly string[] }[] }
    assert.equal(code, 0)
    assert.deepEqual(definitions.map(({ files }) => files.map((file) => file.split('/').at(-1))), [['mesh.json', 'rest.json'], ['a.yaml'], ['b.yaml']])
  })

  test('looks at each file of a directory by itself, and leaves out what is neither', async (t) => {
    const { mesh, ...rest } = shop()
    const at = folder(t, {
      'mesh.json': { mesh }, 'rest.json': rest, 'enmesh.yaml': native, 'package.json': { name: 'shop' },
      'compose.yaml': 'services: { web: { image: nginx } }\nvolumes: {}\n', 'notes.yaml': 'hello: 1\n', 'README.md': '# no',
    })
    const { code, stdout } = await enmesh(['check', at(''), '--json'])
    const { definitions, faults } = JSON.parse(stdout) as { definitions: readonly { kind: string, files: readonly string[] }[], faults: readonly { severity: string, file: string, message: string }[] }
    assert.equal(code, 0, stdout)
    assert.deepEqual(definitions.map(({ kind, files }) => [kind, files]), [['app-mesh', [at('')]], ['enmesh', [at('enmesh.yaml')]]])
    assert.deepEqual(faults.map(({ severity, file }) => [severity, file]), ['compose.yaml', 'notes.yaml', 'package.json'].map((name) => ['warning', at(name)]))
    assert.match(faults[0]!.message, /is left out/)
  })

  test('takes a directory of one configuration where one is wanted', async (t) => {
    const { code, stdout, stderr } = await enmesh(['explain', folder(t, { 'enmesh.yaml': native })(''), 'http://a.local/'])
    assert.equal(code, 0, stderr)
    assert.match(stdout, /service {2}a\.local/)
  })

  test('takes no configuration at stdin', async () => {
    const { code, stderr } = await enmesh(['check', '-'], { stdin: native })
    assert.equal(code, 2)
    assert.match(stderr, /^error: what came in at stdin is a configuration of enmesh: give it as a file/)
  })

  for (const args of [['check'], ['check', '--nope', 'x'], ['explain', 'mesh.json'], ['chek'], ['check', 'x', '--param', 'x']]) {
    test(`says as JSON too that \`${args.join(' ')}\` is wrong`, async () => {
      const { code, stdout, stderr } = await enmesh([...args, '--json'])
      const { ok, faults } = JSON.parse(stdout) as { ok: boolean, faults: readonly { severity: string, message: string }[] }
      assert.deepEqual([code, ok, faults.length, stderr], [2, false, 1, ''])
      assert.doesNotMatch(faults[0]!.message, /^error/)
    })
  }

  test('asks for the files of certificates that only proxies could read, by the option that gives them', async (t) => {
    const mesh = shop()
    Object.assign(mesh.virtualNodes.at(-1)!.spec, { backendDefaults: { clientPolicy: { tls: { validation: { trust: { acm: { certificateAuthorityArns: ['arn:ca/1'] } } } } } } })
    const path = folder(t, { 'mesh.json': mesh })('mesh.json')
    const without = await enmesh(['check', path, '--as', 'gateway-node'])
    assert.equal(without.code, 1)
    assert.match(without.stderr, /error: .*mesh\.json:\d+:\d+, virtualNode gateway-node: virtualNodes\[3\].*the authority 'arn:ca\/1' is kept where only proxies could read it/)
    // The file is where the service runs, and is not looked at.
    assert.equal((await enmesh(['check', path, '--as', 'gateway-node', '--ca', 'arn:ca/1=/nowhere/ca.pem'])).code, 0)
  })

  test('says which nodes there are when asked for one that is not', async (t) => {
    const { code, stderr } = await enmesh(['check', folder(t, { 'mesh.json': shop() })('mesh.json'), '--as', 'gateway'])
    assert.equal(code, 1)
    assert.match(stderr, /there is no virtual node or gateway 'gateway': .*gateway-node/)
  })

  test('colours for people on a terminal, and never against NO_COLOR', async (t) => {
    const path = folder(t, { 'mesh.json': shop() })('mesh.json')
    const colours = /\u001b\[/
    assert.match((await enmesh(['check', path], { isTTY: true })).stdout, colours)
    assert.doesNotMatch((await enmesh(['check', path], { isTTY: true, env: { NO_COLOR: '1' } })).stdout, colours)
    assert.doesNotMatch((await enmesh(['check', path], { isTTY: true, env: { TERM: 'dumb' } })).stdout, colours)
    assert.doesNotMatch((await enmesh(['check', path], { env: { FORCE_COLOR: '1' } })).stdout, colours)
  })

  test('lets no name in a file move the cursor', async (t) => {
    const text = JSON.stringify({ ...shop(), mesh: { meshName: 'shop', 'x\u001b[2J\u009b': 1 } })
    const { stderr } = await enmesh(['check', folder(t, { 'mesh.json': text })('mesh.json')])
    assert.doesNotMatch(stderr, /\u001b|\u009b/)
  })

  for (const [option, said] of [
    [['--param', 'x'], /It is written NAME=VALUE/],
    [['--var', 'x=[1'], /--var takes lists and objects as JSON/],
    [['--endpoints', 'stock='], /--endpoints takes stock=127\.0\.0\.1:9001/],
    [['--cert', 'x=a.pem'], /--cert takes NAME=certificate\.pem,key\.pem/],
  ] as const) {
    test(`refuses ${option.join(' ')}`, async (t) => {
      const { code, stderr } = await enmesh(['check', folder(t, { 'mesh.json': shop() })('mesh.json'), ...option])
      assert.equal(code, 2)
      assert.match(stderr, said)
    })
  }

  for (const [option, value] of [['--as', 'x'], ['--param', 'a=b'], ['--ca', 'a=b']] as const) {
    test(`refuses ${option} where it would have no effect`, async (t) => {
      const { code, stderr } = await enmesh(['check', folder(t, { 'mesh.yaml': native })('mesh.yaml'), option, value])
      assert.equal(code, 2)
      assert.match(stderr, /^error: --\S+.* says something of App Mesh definitions, and none is given/)
    })
  }

  test('hands parameters and variables on', async (t) => {
    const at = folder(t, {
      'mesh.yaml': 'Parameters:\n  Name: { Type: String }\nResources:\n  M: { Type: "AWS::AppMesh::Mesh", Properties: { MeshName: !Ref Name } }\n',
      'mesh.tf': 'variable "name" {}\nresource "aws_appmesh_mesh" "shop" {\n  name = var.name\n}\n',
    })
    assert.match((await enmesh(['check', at('mesh.yaml'), '--param', 'Name=a=b'])).stdout, /mesh 'a=b'/)
    assert.match((await enmesh(['check', at('mesh.tf'), '--var', 'name=shop'])).stdout, /mesh 'shop'/)
  })
})
