import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readCloudFormation } from '../../src/app-mesh/formats/cloudformation.ts'
import type { Found, ReadOptions } from '../../src/app-mesh/found.ts'

const read = async (texts: string | readonly string[], parameters: ReadOptions['parameters'] = {}): Promise<readonly Found[]> => {
  const { found, faults } = await readCloudFormation([texts].flat().map((text, at) => ({ file: `${at}.yaml`, text })), { parameters })
  assert.deepEqual(faults, [])
  return found
}

/** What a hostname written in a template comes to. */
const hostname = async (written: string, parameters?: ReadOptions['parameters'], more = ''): Promise<unknown> => {
  const [node] = await read(`
Parameters:
  Domain: { Type: String, Default: shop.local }
  Zones: { Type: CommaDelimitedList, Default: 'a, b' }
  Port: { Type: Number, Default: 8080 }
  Stage: { Type: String, Default: dev, AllowedValues: [dev, prod] }
Mappings:
  Hosts: { dev: { pricing: pricing.dev }, prod: { pricing: pricing.prod } }
Conditions:
  isProd: !Equals [!Ref Stage, prod]
  isDev: !Not [Condition: isProd]
  either: !Or [Condition: isProd, !Equals [a, b], Condition: isDev]
  both: !And [Condition: isProd, Condition: isDev]
Resources:
  Node:
    Type: AWS::AppMesh::VirtualNode
    Properties:
      MeshName: !GetAtt Mesh.MeshName
      VirtualNodeName: pricing
      Spec: { ServiceDiscovery: { DNS: { Hostname: ${written} } } }
  Mesh: { Type: AWS::AppMesh::Mesh, Properties: { MeshName: !Sub '\${AWS::StackName}-mesh' } }
  Router: { Type: AWS::AppMesh::VirtualRouter, Properties: { MeshName: shop, VirtualRouterName: router } }
  Route: { Type: AWS::AppMesh::Route, Properties: { MeshName: shop, VirtualRouterName: !GetAtt Router.VirtualRouterName, RouteName: all } }
  Discovery: { Type: AWS::ServiceDiscovery::Service, Properties: { Name: pricing } }
${more}`, { 'AWS::StackName': 'shop', ...parameters })
  const { meshName, spec } = node!.body as { meshName: string, spec: { serviceDiscovery: { dns: { hostname: unknown } } } }
  assert.equal(meshName, 'shop-mesh')
  return spec.serviceDiscovery.dns.hostname
}

const table: readonly (readonly [written: string, expected: unknown, parameters?: ReadOptions['parameters']])[] = [
  ['!Ref Domain', 'shop.local'],
  ['{ Ref: Domain }', 'shop.local'],
  ['!Ref Domain', 'other.local', { Domain: 'other.local' }],
  ['!Sub "pricing.${Domain}"', 'pricing.shop.local'],
  ['{ "Fn::Sub": "pricing.${Domain}" }', 'pricing.shop.local'],
  ['!Sub ["${name}.${Domain}", { name: !Ref Stage }]', 'dev.shop.local'],
  ['!Sub "${!Literal}-${AWS::Partition}-${Port}"', '${Literal}-aws-8080'],
  ['!Sub "${Mesh.MeshName}.local"', 'shop-mesh.local'],
  ['!Sub "x.${AWS::Region}.internal"', 'x.eu-west-1.internal', { 'AWS::Region': 'eu-west-1' }],
  ['!Join [".", [pricing, !Ref Domain, 1]]', 'pricing.shop.local.1'],
  ['!Join ["-", !Ref Zones]', 'a-b'],
  ['!Select [1, !Ref Zones]', 'b'],
  ['!Select ["0", !Split [".", !Ref Domain]]', 'shop'],
  ['!If [isProd, prod, dev]', 'dev'],
  ['!If [isProd, prod, dev]', 'prod', { Stage: 'prod' }],
  ['!If [either, yes, no]', 'yes'],
  ['!If [both, both, none]', 'none'],
  ['!FindInMap [Hosts, !Ref Stage, pricing]', 'pricing.dev'],
  ['!FindInMap [Hosts, test, pricing, { DefaultValue: pricing.test }]', 'pricing.test'],
  ['!GetAtt Mesh.MeshName', 'shop-mesh'],
  ['!GetAtt [Mesh, MeshName]', 'shop-mesh'],
  ['!GetAtt Route.VirtualRouterName', 'router'],
  ['!GetAtt Discovery.Name', 'pricing'],
  ['!Ref Mesh', 'arn:aws:appmesh:::mesh/shop-mesh'],
  ['!Ref Route', 'arn:aws:appmesh:eu-west-1:111122223333:mesh/shop/virtualRouter/router/route/all', { 'AWS::Region': 'eu-west-1', 'AWS::AccountId': '111122223333' }],
  ['!GetAtt Router.Arn', 'arn:aws:appmesh:::mesh/shop/virtualRouter/router'],
  ['!Ref Balancer', 'balancer', { Balancer: 'balancer' }],
  ['!GetAtt Balancer.DNSName', 'lb.internal', { 'Balancer.DNSName': 'lb.internal' }],
  ['!ImportValue shop-host', 'given', { 'shop-host': 'given' }],
  ['!Base64 host', 'aG9zdA=='],
  ['!Length [a, b, c]', '3'],
  ['1.10', '1.10'],
  ['012345678901', '012345678901'],
  ['true', 'true'],
]

for (const [written, expected, parameters] of table) {
  test(`a template's ${written} is ${String(expected)}`, async () => {
    assert.equal(await hostname(written, parameters, '  Balancer: { Type: AWS::ElasticLoadBalancingV2::LoadBalancer }'), expected)
  })
}

test('AWS::NoValue takes a property or an item away', async () => {
  const [node] = await read(`
Conditions: { no: !Equals [a, b] }
Resources:
  Node:
    Type: AWS::AppMesh::VirtualNode
    Properties:
      MeshName: shop
      VirtualNodeName: a
      Spec:
        BackendDefaults: !If [no, { ClientPolicy: {} }, !Ref AWS::NoValue]
        Backends: [{ VirtualService: { VirtualServiceName: tax } }, !If [no, {}, !Ref AWS::NoValue]]
`)
  assert.deepEqual(node!.body, { meshName: 'shop', virtualNodeName: 'a', spec: { backends: [{ virtualService: { virtualServiceName: 'tax' } }] } })
})

test('a resource whose Condition does not hold is not made', async () => {
  const found = await read(`
Parameters: { Gateway: { Type: String, Default: 'no' } }
Conditions: { wanted: !Equals [!Ref Gateway, 'yes'] }
Resources:
  A: { Type: AWS::AppMesh::Mesh, Properties: { MeshName: a } }
  B: { Type: AWS::AppMesh::Mesh, Condition: wanted, Properties: { MeshName: b } }
`)
  assert.deepEqual(found.map(({ resource }) => resource), ['A'])
})

test('a template imports what another exports', async () => {
  const mesh = `
Parameters: { Name: { Type: String, Default: shop } }
Resources: { Mesh: { Type: AWS::AppMesh::Mesh, Properties: { MeshName: !Ref Name } } }
Outputs:
  Other: { Value: !Ref Nothing, Export: { Name: !Sub '\${AWS::StackName}-other' } }
  Mesh: { Value: !GetAtt Mesh.MeshName, Export: { Name: !Sub '\${Name}-mesh' } }
`
  const router = `
Resources:
  Router: { Type: AWS::AppMesh::VirtualRouter, Properties: { MeshName: !ImportValue shop-mesh, VirtualRouterName: r } }
`
  const [, found] = await read([mesh, router])
  assert.deepEqual(found!.body, { meshName: 'shop', virtualRouterName: 'r' })
  assert.equal(found!.at(['meshName']), 'Resources.Router.Properties.MeshName')
})

test('merge keys and aliases are followed', async () => {
  const [, node] = await read(`
Resources:
  Mesh: { Type: AWS::AppMesh::Mesh, Properties: &named { MeshName: shop } }
  Node: { Type: AWS::AppMesh::VirtualNode, Properties: { <<: *named, VirtualNodeName: a } }
`)
  assert.deepEqual(node!.body, { meshName: 'shop', virtualNodeName: 'a' })
})

test('what could not be told is left out, and named as unread', async () => {
  const { found, faults } = await readCloudFormation([{ file: 'a.yaml', text: `
Resources:
  Node: { Type: AWS::AppMesh::VirtualNode, Properties: { MeshName: !Ref A, VirtualNodeName: b, Spec: { ServiceDiscovery: { DNS: { Hostname: !Ref B } } } } }
` }], {})
  assert.equal(faults.length, 2)
  assert.deepEqual(found[0]!.body, { virtualNodeName: 'b', spec: { serviceDiscovery: { dns: {} } } })
  assert.deepEqual(found[0]!.unread, [['meshName'], ['spec', 'serviceDiscovery', 'dns', 'hostname']])
})

test('a value that several resources ask for is missed once', async () => {
  const { faults } = await readCloudFormation([{ file: 'a.yaml', text: `
Resources:
  Mesh: { Type: AWS::AppMesh::Mesh, Properties: { MeshName: !Ref Name } }
  A: { Type: AWS::AppMesh::VirtualRouter, Properties: { MeshName: !GetAtt Mesh.MeshName, VirtualRouterName: a } }
  B: { Type: AWS::AppMesh::VirtualRouter, Properties: { MeshName: !GetAtt Mesh.MeshName, VirtualRouterName: b } }
` }], {})
  assert.deepEqual(faults.map(({ path }) => path), ['Resources.Mesh.Properties.MeshName'])
})

test('takes no other YAML or JSON for a template', async () => {
  const texts = ['{}', '[]', '', 'a: b', '{"Resources": {}}', '{"Resources": {"a": {"Type": "x"}}}', 'apiVersion: v1\nkind: Service', 'Resources: [', '{"meshName": "AWS"}']
  const { taken, faults } = await readCloudFormation(texts.map((text, at) => ({ file: `${at}`, text })), {})
  assert.equal(taken.size, 0)
  assert.deepEqual(faults, [])
})
