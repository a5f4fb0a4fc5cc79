import { stringify } from 'yaml'
import { nameField, parentField } from '../../src/app-mesh/body/shape.ts'
import type { Resource } from './every-field.ts'

type Json = Readonly<Record<string, unknown>>

/** Rewrites the fields of objects, at any depth. */
const fields = (value: unknown, rewrite: (name: string, value: unknown) => readonly [string, unknown]): unknown => {
  if (Array.isArray(value)) return value.map((item) => fields(item, rewrite))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => {
    const [written, changed] = rewrite(name, field)
    return [written, fields(changed, rewrite)]
  }))
}

const initials = new Map(Object.entries({
  dns: 'DNS', awsCloudMap: 'AWSCloudMap', tls: 'TLS', acm: 'ACM', sds: 'SDS', http: 'HTTP', http2: 'HTTP2', grpc: 'GRPC', tcp: 'TCP',
}))

/** The same resources as a CloudFormation template. */
export const asTemplate = (resources: readonly Resource[]): Json => ({
  AWSTemplateFormatVersion: '2010-09-09',
  Resources: Object.fromEntries(resources.map(({ kind, body }, at) => [`R${at}`, {
    Type: `AWS::AppMesh::${kind[0]!.toUpperCase()}${kind.slice(1)}`,
    Properties: fields(body, (name, value) => [initials.get(name) ?? name[0]!.toUpperCase() + name.slice(1), value]),
  }])),
})

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
const singulars = new Map(Object.entries({
  listeners: 'listener', backends: 'backend', weightedTargets: 'weighted_target', headers: 'header', queryParameters: 'query_parameter',
}))
const maps = new Set(['tags', 'attributes'])

/** How Terraform's provider has a value: blocks are lists, and pairs are maps. */
const blocks = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(blocks)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => {
    if (maps.has(name)) return [name, Object.fromEntries((field as { key: string, value: string }[]).map((pair) => [pair.key, pair.value]))]
    const isBlock = typeof field === 'object' && field !== null && !Array.isArray(field)
    return [singulars.get(name) ?? snake(name), isBlock ? [blocks(field)] : blocks(field)]
  }))
}

export const typeOf = (kind: string): string => `aws_appmesh_${snake(kind)}`

const attributes = ({ kind, body }: Resource): Json => {
  const { [nameField(kind)]: name, ...rest } = body
  return kind === 'mesh' ? { name, ...blocks(rest) as Json } : { name, ...blocks(rest) as Json }
}

/** The same resources as `terraform show -json` has them in a state. */
export const asState = (resources: readonly Resource[]): Json => ({
  format_version: '1.0',
  terraform_version: '1.9.0',
  values: {
    root_module: {
      resources: resources.map((resource, at) => ({
        address: `${typeOf(resource.kind)}.r${at}`, mode: 'managed', type: typeOf(resource.kind), name: `r${at}`,
        values: { ...attributes(resource), id: `id-${at}`, arn: 'arn:…', created_date: '2024-01-01', tags_all: {}, resource_owner: '111122223333' },
      })),
    },
  },
})

/** The same resources in Terraform's language. */
export const asConfiguration = (resources: readonly Resource[]): string => resources.map((resource, at) =>
  `resource "${typeOf(resource.kind)}" "r${at}" {\n${body(attributes(resource), '  ')}}\n`).join('\n')

const isBlockList = (value: unknown): value is readonly Json[] => Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'object')

const body = (block: Json, indent: string): string => Object.entries(block).map(([name, value]) => {
  if (isBlockList(value)) return value.map((one) => `${indent}${name} {\n${body(one, `${indent}  `)}${indent}}\n`).join('')
  return `${indent}${name} = ${literal(value)}\n`
}).join('')

const literal = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`
  if (typeof value === 'object' && value !== null) return `{ ${Object.entries(value).map(([name, field]) => `${JSON.stringify(name)} = ${literal(field)}`).join(', ')} }`
  // What begins a directive or an expression there stands for itself here.
  return typeof value === 'string' ? JSON.stringify(value).replaceAll('${', '$${').replaceAll('%{', '%%{') : JSON.stringify(value)
}

const kubernetesNames = new Map(Object.entries({ certificateArn: 'certificateARN', certificateAuthorityArns: 'certificateAuthorityARNs' }))

/** References as manifests have them; the manifests are called as the resources. */
const referring = (value: unknown): unknown => fields(value, (name, field) => {
  if (name === 'virtualNode' && typeof field === 'string') return ['virtualNodeRef', { name: field }]
  if (/^virtual(?:Node|Router|Service)Name$/.test(name)) return [name.replace(/Name$/, 'Ref'), { name: (field as string).replaceAll('.', '-') }]
  return [kubernetesNames.get(name) ?? name, field]
})

/** The same resources as manifests of the controller's version v1beta2, but for what it cannot say: owners and tags. */
export const asManifests = (resources: readonly Resource[]): string => {
  const manifest = (kind: string, awsName: string, spec: unknown, meta: unknown = {}): unknown => ({
    apiVersion: 'appmesh.k8s.aws/v1beta2', kind,
    metadata: { name: awsName.replaceAll('.', '-'), ...(kind === 'Mesh' ? {} : { namespace: 'shop' }) },
    spec: { awsName, ...meta as Json, ...spec as Json },
  })
  const documents = resources.filter(({ kind }) => kind !== 'route').map(({ kind, body: written }) => {
    const own = written[nameField(kind)] as string
    const spec = referring(written.spec ?? {}) as Json
    const title = kind[0]!.toUpperCase() + kind.slice(1)
    if (kind === 'mesh') return manifest('Mesh', own, spec, { namespaceSelector: {} })
    const parent = parentField(kind)
    if (parent !== undefined) return manifest(title, own, spec, { virtualGatewayRef: { name: written[parent], namespace: 'shop' } })
    if (kind !== 'virtualRouter') return manifest(title, own, spec)
    const routes = resources.filter((other) => other.kind === 'route' && other.body.virtualRouterName === own)
    return manifest(title, own, { ...spec, routes: routes.map((route) => ({ name: route.body.routeName, ...referring(route.body.spec) as Json })) })
  })
  return documents.map((document) => `---\n${stringify(document)}`).join('')
}
