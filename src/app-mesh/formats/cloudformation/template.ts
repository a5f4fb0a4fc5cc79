import { functions, type FunctionContext } from './functions.ts'
import { giveParameter } from '../left-open.ts'
import type { Fault, ReadOptions, ResourceKind } from '../../found.ts'
import type { Positions } from '../../body/positions.ts'
import { nameField, parentField } from '../../body/shape.ts'
import { fieldOf, moved, naming, plain, textOf, written, type Traced } from '../../body/traced.ts'

/** The kinds of App Mesh resources, by the last part of CloudFormation's type names: `AWS::AppMesh::VirtualNode`. */
const kinds: Readonly<Record<string, ResourceKind>> = {
  Mesh: 'mesh', VirtualService: 'virtualService', VirtualNode: 'virtualNode', VirtualRouter: 'virtualRouter', Route: 'route',
  VirtualGateway: 'virtualGateway', GatewayRoute: 'gatewayRoute',
}

/** The kind of an App Mesh resource of a template; `undefined` for resources of other services. */
export const kindOf = (resource: Traced | undefined): ResourceKind | undefined => {
  const type = textOf(fieldOf(resource, 'Type'))
  const name = type?.startsWith('AWS::AppMesh::') === true ? type.slice('AWS::AppMesh::'.length) : ''
  return Object.hasOwn(kinds, name) ? kinds[name] : undefined
}

/** CloudFormation's spelling of a field of the API that starts with no initials. */
export const pascal = (name: string): string => name[0]!.toUpperCase() + name.slice(1)

/** What a template's pieces come to; `undefined` is CloudFormation's AWS::NoValue. */
export type Evaluated = Traced | undefined

const listType = /^(?:CommaDelimitedList|List<.*>|AWS::SSM::Parameter::Value<(?:CommaDelimitedList|List<.*>)>)$/

const known: Readonly<Record<string, string>> = { 'AWS::Partition': 'aws', 'AWS::URLSuffix': 'amazonaws.com' }

const quoted = (names: Iterable<string>): string => [...names].map((name) => `"${name}"`).join(', ') || 'none'

/** Of things that are made of one another: more than a template has, and far from what the stack holds. */
const longestChain = 50

const isSet = (flag: Traced | undefined): boolean => flag?.kind === 'plain' && String(flag.value) === 'true'

/** One template, whose parts are evaluated when they are asked for: what belongs to other services is mostly not. */
export class Template implements FunctionContext {
  readonly file: string
  readonly position: Positions
  readonly #root: Traced
  readonly #parameters: Readonly<Record<string, string>>
  readonly #imported: (name: string) => Evaluated
  readonly #tell: (fault: Fault) => void
  readonly #told = new Set<string>()
  readonly #open = new Set<string>()
  readonly #known = new Map<string, Evaluated>()
  #resource: string | undefined
  #quiet = false

  constructor(
    file: string, root: Traced, position: Positions, options: ReadOptions, imported: (name: string) => Evaluated, tell: (fault: Fault) => void,
  ) {
    this.file = file
    this.position = position
    this.#root = root
    this.#parameters = options.parameters ?? {}
    this.#imported = imported
    this.#tell = tell
  }

  /** All resources with their logical ids. */
  get resources(): ReadonlyMap<string, Traced> {
    const resources = fieldOf(this.#root, 'Resources')
    return resources?.kind === 'object' ? resources.entries : new Map()
  }

  /** Refuses a section of resources that is none. */
  seeSections(): void {
    const resources = fieldOf(this.#root, 'Resources')
    if (resources?.kind !== 'object') this.fail(resources?.where ?? 'Resources', `is ${naming(resources)}: write resources by their logical ids`)
  }

  /** Evaluates something of one resource: faults are told as its own. */
  within<T>(resource: string, evaluate: () => T): T {
    this.#resource = resource
    try {
      return evaluate()
    } finally {
      this.#resource = undefined
    }
  }

  evaluate(traced: Traced): Evaluated {
    if (traced.kind === 'plain' && traced.value === null) {
      return this.fail(traced.where, 'is null, which CloudFormation refuses: leave the name out, or write !Ref AWS::NoValue')
    }
    if (traced.kind === 'list') {
      return { ...traced, items: traced.items.map((item) => this.evaluate(item)).filter((item) => item !== undefined) }
    }
    if (traced.kind !== 'object') return traced
    const [[name, argument] = []] = traced.entries
    if (name !== undefined && (name === 'Ref' || name === 'Condition' || name.startsWith('Fn::')) && traced.entries.size === 1) {
      return this.#call(name, argument!, traced.where)
    }
    const entries = [...traced.entries].map(([field, value]) => [field, this.evaluate(value)] as const)
    return { ...traced, entries: new Map(entries.filter((entry): entry is [string, Traced] => entry[1] !== undefined)) }
  }

  #call(name: string, argument: Traced, where: string): Evaluated {
    const call = Object.hasOwn(functions, name) ? functions[name] : undefined
    if (call) return call(this, argument, where)
    return this.fail(where, `calls ${name}, which only CloudFormation can do: ` +
      'write its result, or read the processed template (aws cloudformation get-template --template-stage Processed)')
  }

  fail(where: string, message: string): Traced {
    this.#say('error', where, message)
    return { kind: 'unread', where }
  }

  /** Tells of something at a place that does not keep the template from being read. */
  warn(where: string, message: string): void {
    this.#say('warning', where, message)
  }

  /** Once for each place, however many refer to it. */
  #say(severity: Fault['severity'], path: string, message: string): void {
    const key = `${path}\n${message}`
    if (this.#quiet || this.#told.has(key)) return
    this.#told.add(key)
    const resource = this.#resource === undefined ? {} : { resource: this.#resource }
    this.#tell({ severity, file: this.file, ...this.position(path), ...resource, path, message })
  }

  /** A value of the caller's for a name that the template leaves open. */
  given(name: string, where: string): Traced | undefined {
    return Object.hasOwn(this.#parameters, name) ? plain(this.#parameters[name]!, where) : undefined
  }

  ref(name: string, where: string): Evaluated {
    if (name === 'AWS::NoValue') return undefined
    const parameter = fieldOf(fieldOf(this.#root, 'Parameters'), name)
    if (parameter) return this.#parameter(name, parameter, where)
    const given = this.given(name, where)
    if (given) return given
    if (name.startsWith('AWS::')) return this.#pseudo(name, where)
    const resource = this.resources.get(name)
    if (!resource) {
      return this.fail(where, `refers to "${name}", which is neither a parameter nor a resource of this template; ` +
        `it has the parameters ${quoted(this.#names('Parameters'))} and the resources ${quoted(this.resources.keys())}`)
    }
    const kind = kindOf(resource)
    if (kind === undefined) return this.#elsewhere(name, resource, name, where)
    return this.#existing(name, resource, where) ?? this.#arn(name, kind, where)
  }

  /** Where CloudFormation knows the value only after the deployment. */
  #elsewhere(key: string, resource: Traced, name: string, where: string): Traced {
    const type = textOf(fieldOf(resource, 'Type')) ?? 'a resource without a Type'
    return this.fail(where, `needs ${key === name ? 'what Ref gives' : `the attribute ${key.slice(name.length + 1)}`} of "${name}" (${type}), ` +
      `which only the deployed stack knows: ${giveParameter(key)}`)
  }

  #names(section: string): Iterable<string> {
    const found = fieldOf(this.#root, section)
    return found?.kind === 'object' ? found.entries.keys() : []
  }

  #pseudo(name: string, where: string): Traced {
    if (Object.hasOwn(known, name)) return plain(known[name]!, where)
    return this.fail(where, `needs ${name}, which only a deployment knows: ${giveParameter(name)}`)
  }

  #parameter(name: string, parameter: Traced, where: string): Traced {
    const type = textOf(fieldOf(parameter, 'Type')) ?? 'String'
    const fallback = fieldOf(parameter, 'Default')
    const given = this.given(name, where)
    if (!given && fallback?.kind !== 'plain') {
      return this.fail(where, `needs the parameter "${name}", which has no default: ${giveParameter(name)}`)
    }
    if (!given && type.startsWith('AWS::SSM::Parameter')) {
      return this.fail(where, `needs the parameter "${name}", whose value is kept in Systems Manager: ${giveParameter(name)}`)
    }
    const value = given?.kind === 'plain' ? given : fallback as Traced & { kind: 'plain' }
    if (this.#refused(parameter, written(value))) {
      const allowed = fieldOf(parameter, 'AllowedValues')
      const values = allowed?.kind === 'list' ? allowed.items.flatMap((item) => item.kind === 'plain' ? [written(item)] : []) : []
      // A value that is not to be echoed is in no message either.
      const found = isSet(fieldOf(parameter, 'NoEcho')) ? 'another value' : `"${written(value)}"`
      return this.fail(where, `has ${found} for the parameter "${name}", which allows ${quoted(values)}`)
    }
    if (!listType.test(type)) return { ...value, where }
    const texts = written(value).split(',').map((text) => text.trim())
    return { kind: 'list', where, items: texts.map((text, at) => plain(text, `${where}[${at}]`)) }
  }

  #refused(parameter: Traced, value: string): boolean {
    const allowed = fieldOf(parameter, 'AllowedValues')
    return allowed?.kind === 'list' && !allowed.items.some((item) => item.kind === 'plain' && written(item) === value)
  }

  attribute(name: string, attribute: string, where: string): Evaluated {
    const given = this.given(`${name}.${attribute}`, where)
    if (given) return given
    const resource = this.resources.get(name)
    if (!resource) {
      return this.fail(where, `asks for an attribute of "${name}", which is no resource of this template; it has ${quoted(this.resources.keys())}`)
    }
    const kind = kindOf(resource)
    if (kind === undefined) {
      const own = fieldOf(fieldOf(resource, 'Properties'), attribute)
      // The one attribute that mesh definitions ask of others and that the template itself tells.
      const told = textOf(fieldOf(resource, 'Type')) === 'AWS::ServiceDiscovery::Service' && attribute === 'Name' ? own : undefined
      if (!told) return this.#elsewhere(`${name}.${attribute}`, resource, name, where)
      return this.#guarded(`${name}.${attribute}`, where, () => this.evaluate(told))
    }
    return this.#existing(name, resource, where) ?? this.#attributeOf(name, kind, attribute, where)
  }

  #attributeOf(name: string, kind: ResourceKind, attribute: string, where: string): Evaluated {
    const own = pascal(nameField(kind))
    const parent = parentField(kind)
    const names = ['MeshName', own, ...(parent === undefined ? [] : [pascal(parent)])]
    if (attribute === own) return this.#guarded(`${name}.${attribute}`, where, () => this.nameOf(name, kind))
    if (names.includes(attribute)) return this.#property(name, attribute, where)
    if (attribute === 'Arn' || attribute === 'Id') return this.#arn(name, kind, where)
    if (['MeshOwner', 'ResourceOwner', 'Uid'].includes(attribute)) {
      return this.#elsewhere(`${name}.${attribute}`, this.resources.get(name)!, name, where)
    }
    return this.fail(where, `asks for the attribute "${attribute}" of "${name}" (AWS::AppMesh::${pascal(kind)}), which has ` +
      quoted([...new Set([...names, 'Arn', 'Id', 'MeshOwner', 'ResourceOwner', 'Uid'])]))
  }

  #property(name: string, property: string, where: string): Evaluated {
    const value = fieldOf(fieldOf(this.resources.get(name), 'Properties'), property)
    if (!value) return this.fail(where, `asks for ${property} of "${name}", which does not say it`)
    return this.#guarded(`${name}.${property}`, where, () => this.evaluate(value))
  }

  /** The name of an App Mesh resource. CloudFormation makes one up where the template gives none. */
  nameOf(id: string, kind: ResourceKind): Evaluated {
    const resource = this.resources.get(id)!
    const property = fieldOf(fieldOf(resource, 'Properties'), pascal(nameField(kind)))
    return (property && this.evaluate(property)) ?? plain(id, resource.where)
  }

  /** Evaluates what other parts refer to, once; the result stands where it was asked for. */
  #guarded(key: string, where: string, evaluate: () => Evaluated): Evaluated {
    if (this.#open.has(key)) return this.fail(where, `asks for ${key}, which is made of itself: write the value`)
    if (this.#open.size > longestChain) {
      return this.fail(where, `asks for ${key}, at the end of more than ${longestChain} things that are made of one another`)
    }
    if (!this.#known.has(key)) {
      this.#open.add(key)
      this.#known.set(key, evaluate())
      this.#open.delete(key)
    }
    const value = this.#known.get(key)
    return value && moved(value, where)
  }

  #existing(name: string, resource: Traced, where: string): Traced | undefined {
    if (this.exists(resource)) return undefined
    return this.fail(where, `refers to "${name}", whose Condition does not hold, so that it is not made: put the same condition here, with !If`)
  }

  /** Whether a resource's Condition lets it be made. */
  exists(resource: Traced): boolean {
    const condition = fieldOf(resource, 'Condition')
    // Its own fault is told; a resource too many does less harm than one that is missing.
    return condition === undefined || (this.condition(textOf(condition) ?? '', condition.where) ?? true)
  }

  #arn(name: string, kind: ResourceKind, where: string): Traced {
    const text = (value: Evaluated): string | undefined => value?.kind === 'plain' ? written(value) : undefined
    const own = text(this.#guarded(`${name}.${pascal(nameField(kind))}`, where, () => this.nameOf(name, kind)))
    if (kind === 'mesh') return own === undefined ? { kind: 'unread', where } : plain(`${this.#arnStart()}${own}`, where)
    const mesh = text(this.#property(name, 'MeshName', where))
    const parent = parentField(kind)
    const above = parent === undefined ? undefined : text(this.#property(name, pascal(parent), where))
    if (own === undefined || mesh === undefined || (parent !== undefined && above === undefined)) return { kind: 'unread', where }
    const middle = parent === undefined || above === undefined ? '' : `/${parent.slice(0, -'Name'.length)}/${above}`
    return plain(`${this.#arnStart()}${mesh}${middle}/${kind}/${own}`, where)
  }

  #arnStart(): string {
    const { 'AWS::Partition': partition = 'aws', 'AWS::Region': region = '', 'AWS::AccountId': account = '' } = this.#parameters
    return `arn:${partition}:appmesh:${region}:${account}:mesh/`
  }

  condition(name: string, where: string): boolean | undefined {
    const condition = fieldOf(fieldOf(this.#root, 'Conditions'), name)
    if (!condition) {
      this.fail(where, `names the condition "${name}", which this template does not have; it has ${quoted(this.#names('Conditions'))}`)
      return undefined
    }
    const value = this.#guarded(`the condition ${name}`, where, () => this.evaluate(condition))
    if (value?.kind === 'plain' && typeof value.value === 'boolean') return value.value
    if (value?.kind === 'plain' && (value.value === 'true' || value.value === 'false')) return value.value === 'true'
    if (value?.kind !== 'unread') this.fail(condition.where, 'is no condition: write Fn::Equals, Fn::And, Fn::Or or Fn::Not')
    return undefined
  }

  mapping(map: string, first: string, second: string, where: string): Evaluated {
    const found = fieldOf(fieldOf(fieldOf(fieldOf(this.#root, 'Mappings'), map), first), second)
    return found && this.#guarded(`Mappings.${map}.${first}.${second}`, where, () => this.evaluate(found))
  }

  imported(name: string, where: string): Evaluated {
    const given = this.given(name, where)
    if (given) return given
    const value = this.#imported(name)
    if (value) return moved(value, where)
    return this.fail(where, `imports "${name}", which no template that is read exports: read the one that does as well, ` +
      `or ${giveParameter(name)}`)
  }

  /** The value that this template exports under a name. Exports that cannot be told are none: nobody may ever ask for them. */
  exported(name: string): Evaluated {
    const outputs = fieldOf(this.#root, 'Outputs')
    if (outputs?.kind !== 'object') return undefined
    for (const output of outputs.entries.values()) {
      const exported = fieldOf(fieldOf(output, 'Export'), 'Name')
      const value = fieldOf(output, 'Value')
      if (!exported || !value) continue
      // An export whose name is itself imported is looked for no further.
      const { where } = exported
      const found = this.#quietly(() => this.#guarded(`the name of the export at ${where}`, where, () => this.evaluate(exported)))
      if (found?.kind === 'plain' && written(found) === name) return this.#guarded(`the export ${name}`, value.where, () => this.evaluate(value))
    }
    return undefined
  }

  #quietly<T>(evaluate: () => T): T {
    const before = this.#quiet
    this.#quiet = true
    try {
      return evaluate()
    } finally {
      this.#quiet = before
    }
  }
}
