import { faultOf, toFound, type Dialect, type Subject } from '../body/body.ts'
import { positionIn, positionsOf } from '../body/positions.ts'
import { didYouMean } from '../../mesh/faults.ts'
import { kindOf, pascal, Template } from './cloudformation/template.ts'
import { coerced } from '../body/coerced.ts'
import type { Fault, Found, ResourceKind, Source } from '../found.ts'
import type { FormatReader } from './format.ts'
import { nameField, type ObjectShape, type Shape } from '../body/shape.ts'
import { below, fieldOf, naming, objectOf, plain, textOf, type Traced, type TracedObject } from '../body/traced.ts'
import { NotYaml, readDocuments, type TagReader, type YamlDocument } from '../body/yaml-source.ts'

/** Fields that CloudFormation spells in capitals; it begins all others with one. */
const capitals: Readonly<Record<string, string>> = {
  dns: 'DNS', awsCloudMap: 'AWSCloudMap', tls: 'TLS', acm: 'ACM', sds: 'SDS', http: 'HTTP', http2: 'HTTP2', grpc: 'GRPC', tcp: 'TCP',
}

const spelling = (field: string): string => Object.hasOwn(capitals, field) ? capitals[field]! : pascal(field)

class CloudFormationDialect implements Dialect {
  readonly #template: Template

  constructor(template: Template) {
    this.#template = template
  }

  field(name: string, value: Traced, shape: ObjectShape): { name: string, value: Traced } {
    const field = Object.keys(shape.fields).find((known) => spelling(known).toLowerCase() === name.toLowerCase())
    if (field === undefined) return { name: name[0] === undefined ? name : name[0].toLowerCase() + name.slice(1), value }
    // CloudFormation takes the API's own spelling too.
    if (name !== spelling(field) && name !== field) {
      this.#template.warn(value.where, `is called ${spelling(field)} in CloudFormation: it is read as that`)
    }
    return { name: field, value }
  }

  value(traced: Traced, shape: Shape): Traced {
    return traced.kind === 'plain' ? coerced(traced, shape) : traced
  }
}

/** Short tags stand for the functions of the same name: `!Ref x` for `{ Ref: x }`, `!Sub x` for `{ Fn::Sub: x }`. */
const shortTag: TagReader = (tag, read, where) => {
  const name = tag.slice(1)
  return objectOf({ [name === 'Ref' || name === 'Condition' ? name : `Fn::${name}`]: read(below(where, tag)) }, where)
}

const looksLikeTemplate = /\b(?:AWSTemplateFormatVersion|Resources)["']?\s*:/
const namesServices = /\bAWS::[A-Za-z0-9]+::/

/** The template that a source holds; `undefined` where it holds something else. Throws `NotYaml` for a broken template. */
const templateIn = async (source: Source): Promise<YamlDocument | undefined> => {
  if (!looksLikeTemplate.test(source.text)) return undefined
  try {
    const [document, ...others] = await readDocuments(source, shortTag)
    const root = document?.root
    const resources = fieldOf(root, 'Resources')
    if (others.length > 0 || root?.kind !== 'object') return undefined
    const all = resources?.kind === 'object' ? [...resources.entries.values()] : []
    const typed = all.some((resource) => textOf(fieldOf(resource, 'Type'))?.includes('::'))
    return typed || root.entries.has('AWSTemplateFormatVersion') ? document : undefined
  } catch (error) {
    if (error instanceof NotYaml && !namesServices.test(source.text)) return undefined
    throw error
  }
}

/**
 * Reads CloudFormation templates, in YAML and in JSON: their App Mesh resources with all that parameters, conditions, mappings
 * and functions make of them. Resources of other services are left alone; where one of theirs is needed, as the DNS name of a
 * load balancer, its value is given like a parameter, by `LogicalId` or `LogicalId.Attribute`. `Fn::ImportValue` finds the
 * exports of the other templates that are read with it.
 */
export const readCloudFormation: FormatReader = async (sources, options) => {
  const faults: Fault[] = []
  const tell = (fault: Fault): void => { faults.push(fault) }
  const taken = new Set<Source>()
  const templates: Template[] = []
  const imported = (name: string): Traced | undefined => {
    for (const template of templates) {
      const value = template.exported(name)
      if (value) return value
    }
    return undefined
  }
  for (const source of sources) {
    try {
      const document = await templateIn(source)
      if (!document) continue
      taken.add(source)
      const position = positionsOf(document.offsets, positionIn(source))
      templates.push(new Template(source.file, document.root, position, options, imported, tell))
    } catch (error) {
      if (!(error instanceof NotYaml)) throw error
      taken.add(source)
      tell({ severity: 'error', file: source.file, ...positionIn(source)(error.at), message: `is no template that can be read: ${error.message}` })
    }
  }
  const found = templates.flatMap((template) => foundIn(template, tell))
  return { found, faults, taken }
}

const foundIn = (template: Template, tell: (fault: Fault) => void): readonly Found[] => {
  const found: Found[] = []
  template.seeSections()
  for (const [id, resource] of template.resources) {
    const read = template.within(id, () => {
      const kind = kindOf(resource)
      if (kind !== undefined) refuseOddParts(template, resource)
      if (kind !== undefined) return template.exists(resource) ? foundAt(template, id, kind, resource, tell) : undefined
      refuseOthers(template, id, resource)
      return undefined
    })
    if (read) found.push(read)
  }
  return found
}

/** What a resource may have beside its type and its properties. */
const parts = new Set([
  'Type', 'Properties', 'Condition', 'DependsOn', 'DeletionPolicy', 'UpdateReplacePolicy', 'CreationPolicy', 'UpdatePolicy', 'Metadata',
])

/** Properties under a name that is misspelt would be missing in silence. */
const refuseOddParts = (template: Template, resource: Traced): void => {
  for (const [name, value] of resource.kind === 'object' ? resource.entries : []) {
    if (!parts.has(name)) template.fail(value.where, `is no part of a resource: ${didYouMean(name, [...parts])}`)
  }
}

/** What looks like a resource of App Mesh and is none that can be read. */
const refuseOthers = (template: Template, id: string, resource: Traced): void => {
  const type = textOf(fieldOf(resource, 'Type'))
  if (id.startsWith('Fn::')) {
    template.fail(resource.where, `uses ${id.split('::').slice(0, 2).join('::')}, which only CloudFormation can do: ` +
      'read the processed template (aws cloudformation get-template --template-stage Processed)')
  } else if (type === undefined) {
    template.fail(resource.where, 'has no Type, which every resource has: write, for instance, Type: AWS::AppMesh::VirtualNode')
  } else if (/^AWS::AppMesh::/i.test(type)) {
    template.fail(below(resource.where, 'Type'), `is "${type}", and App Mesh has AWS::AppMesh::Mesh, VirtualService, VirtualNode, VirtualRouter, ` +
      'Route, VirtualGateway and GatewayRoute')
  }
}

const foundAt = (template: Template, id: string, kind: ResourceKind, resource: Traced, tell: (fault: Fault) => void): Found => {
  const subject: Subject = { file: template.file, resource: id, position: template.position }
  const properties = fieldOf(resource, 'Properties') ?? objectOf({}, below(resource.where, 'Properties'))
  if (properties.kind !== 'object') template.fail(properties.where, `is ${naming(properties)}: write the properties as an object`)
  const evaluated = properties.kind === 'object' ? template.evaluate(properties) : undefined
  const named = evaluated?.kind === 'object' ? withName(id, kind, evaluated, subject, tell) : objectOf({}, properties.where)
  return toFound(kind, named, new CloudFormationDialect(template), subject, tell)
}

/** Gives a resource its logical id as name where CloudFormation would have made one up. */
const withName = (
  id: string, kind: ResourceKind, properties: TracedObject, subject: Subject, tell: (fault: Fault) => void,
): TracedObject => {
  const name = spelling(nameField(kind))
  // A virtual service is what callers dial: a name of ours would lead nowhere.
  if (properties.entries.has(name) || kind === 'virtualService') return properties
  tell(faultOf(subject, 'warning', properties.where,
    `has no ${name}, so that CloudFormation made one up: it is called "${id}" here; write ${name} to say how`))
  return { ...properties, entries: new Map([...properties.entries, [name, plain(id, properties.where)]]) }
}
