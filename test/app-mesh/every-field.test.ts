import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stringify } from 'yaml'
import { readCloudFormation } from '../../src/app-mesh/formats/cloudformation.ts'
import type { Found } from '../../src/app-mesh/found.ts'
import type { FormatReader } from '../../src/app-mesh/formats/format.ts'
import { readKubernetes } from '../../src/app-mesh/formats/kubernetes.ts'
import { bodies, nameField, type Shape } from '../../src/app-mesh/body/shape.ts'
import { readTerraform } from '../../src/app-mesh/formats/terraform.ts'
import { everyField, type Resource } from './every-field.ts'
import { asConfiguration, asManifests, asState, asTemplate } from './writers.ts'

const leaves = (shape: Shape, where: string): readonly string[] => {
  if (typeof shape === 'string') return [where]
  if ('items' in shape) return leaves(shape.items, where)
  return Object.entries(shape.fields).flatMap(([name, field]) => leaves(field, `${where}.${name}`))
}

const leavesOf = (value: unknown, where: string): readonly string[] => {
  if (Array.isArray(value)) return value.flatMap((item) => leavesOf(item, where))
  if (typeof value !== 'object' || value === null) return [where]
  return Object.entries(value).flatMap(([name, field]) => leavesOf(field, `${where}.${name}`))
}

const key = ({ kind, body }: Pick<Resource | Found, 'kind' | 'body'>): string => {
  const { virtualRouterName, virtualGatewayName, [nameField(kind)]: name } = body as Record<string, string>
  return [kind, virtualRouterName, virtualGatewayName, name].join('/')
}

const sorted = (resources: readonly Pick<Resource | Found, 'kind' | 'body'>[]): Record<string, unknown> =>
  Object.fromEntries([...resources].sort((one, other) => key(one) < key(other) ? -1 : 1).map((one) => [key(one), one.body]))

const withoutOwners = ({ kind, body: { meshOwner, tags, ...body } }: Resource): Resource => {
  void meshOwner
  void tags
  return { kind, body }
}

const reads = async (reader: FormatReader, file: string, text: string, expected: readonly Resource[] = everyField): Promise<void> => {
  const source = { file, text }
  const { found, faults, taken } = await reader([source], {})
  assert.deepEqual(faults, [])
  assert.ok(taken.has(source))
  assert.deepEqual(sorted(found), sorted(expected))
}

test('the document of every field has every field of the API', () => {
  const there = new Set(everyField.flatMap(({ kind, body }) => leavesOf(body, kind)))
  const missing = Object.entries(bodies).flatMap(([kind, shape]) => leaves(shape, kind)).filter((leaf) => !there.has(leaf))
  assert.deepEqual(missing, [])
})

test('reads every field out of a CloudFormation template in YAML', () =>
  reads(readCloudFormation, 'mesh.yaml', stringify(asTemplate(everyField))))

test('reads every field out of a CloudFormation template in JSON', () =>
  reads(readCloudFormation, 'mesh.json', JSON.stringify(asTemplate(everyField), null, 2)))

test('reads numbers and booleans that CloudFormation has as texts', async () => {
  const text = JSON.stringify(asTemplate(everyField)).replace(/:(\d+|true|false)(?=[,}])/g, ':"$1"')
  await reads(readCloudFormation, 'mesh.json', text)
})

test('reads every field out of Kubernetes manifests', () =>
  reads(readKubernetes, 'mesh.yaml', asManifests(everyField), everyField.map(withoutOwners)))

test('reads every field out of a Terraform state', () =>
  reads(readTerraform, 'state.json', JSON.stringify(asState(everyField))))

test('reads every field out of a Terraform configuration', () =>
  reads(readTerraform, 'main.tf', asConfiguration(everyField)))

test('places of a body are in the words of each format', async () => {
  const places = async (reader: FormatReader, file: string, text: string): Promise<readonly string[]> => {
    const { found } = await reader([{ file, text }], {})
    const node = found.find(({ body }) => (body as { virtualNodeName?: string }).virtualNodeName === 'pricing-v1')!
    const route = found.find(({ body }) => (body as { routeName?: string }).routeName === 'http')!
    return [
      node.at([]), node.at(['virtualNodeName']), node.at(['spec', 'listeners', 1, 'connectionPool', 'http2', 'maxRequests']),
      node.at(['spec', 'serviceDiscovery', 'awsCloudMap', 'attributes', 0, 'value']), node.at(['spec', 'serviceDiscovery', 'dns', 'hostname']),
      route.at(['spec', 'httpRoute', 'action', 'weightedTargets', 1, 'virtualNode']),
    ]
  }
  assert.deepEqual(await places(readCloudFormation, 'a.yaml', stringify(asTemplate(everyField))), [
    'Resources.R13.Properties', 'Resources.R13.Properties.VirtualNodeName',
    'Resources.R13.Properties.Spec.Listeners[1].ConnectionPool.HTTP2.MaxRequests',
    'Resources.R13.Properties.Spec.ServiceDiscovery.AWSCloudMap.Attributes[0].Value',
    'Resources.R13.Properties.Spec.ServiceDiscovery.dns.hostname',
    'Resources.R5.Properties.Spec.HttpRoute.Action.WeightedTargets[1].VirtualNode',
  ])
  assert.deepEqual(await places(readKubernetes, 'a.yaml', asManifests(everyField)), [
    '', 'spec.awsName', 'spec.listeners[1].connectionPool.http2.maxRequests', 'spec.serviceDiscovery.awsCloudMap.attributes[0].value',
    'spec.serviceDiscovery.dns.hostname', 'spec.routes[0].httpRoute.action.weightedTargets[1].virtualNodeRef',
  ])
  assert.deepEqual(await places(readTerraform, 'a.json', JSON.stringify(asState(everyField))), [
    '', 'name', 'spec[0].listener[1].connection_pool[0].http2[0].max_requests', 'spec[0].service_discovery[0].aws_cloud_map[0].attributes.version',
    'spec[0].service_discovery[0].dns.hostname', 'spec[0].http_route[0].action[0].weighted_target[1].virtual_node',
  ])
  assert.deepEqual(await places(readTerraform, 'a.tf', asConfiguration(everyField)), [
    '', 'name', 'spec.listener[1].connection_pool.http2.max_requests', 'spec.service_discovery.aws_cloud_map.attributes.version',
    'spec.service_discovery.dns.hostname', 'spec.http_route.action.weighted_target[1].virtual_node',
  ])
})
