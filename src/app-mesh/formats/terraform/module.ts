import type { Effort } from './effort.ts'
import { evaluate, dig, quote, type Ast, type Attributes, type Scope, type Segment } from './expression.ts'
import { asNumber, asText, joined, kindOf, TerraformSet, Unevaluated } from './functions.ts'
import { templatePieces, isTemplate } from './template.ts'
import { types } from './dialect.ts'
import { giveVariable } from '../left-open.ts'
import { below, plain, trace, type Traced } from '../../body/traced.ts'

type Json = Readonly<Record<string, unknown>>

/** A block of a module, with the file that it stands in. */
export interface Block {
  readonly file: string
  readonly body: Json
}

/** What the files of one directory hold, as hcl2json reads them. */
export interface ModuleFiles {
  readonly directory: string
  readonly resources: ReadonlyMap<string, Block>
  readonly data: ReadonlyMap<string, Block>
  readonly variables: ReadonlyMap<string, Block>
  readonly locals: ReadonlyMap<string, { readonly file: string, readonly value: unknown }>
  readonly outputs: ReadonlyMap<string, Block>
  readonly modules: ReadonlyMap<string, Block>
  /** Every expression of the files, parsed; an error where it is none. */
  readonly expressions: ReadonlyMap<string, Ast | Error>
}

/**
 * Makes the module that a block of a caller calls, with addresses that begin with `prefix`; `undefined` where its files are not
 * read.
 */
export type Call = (caller: Module, block: Block, scope: Scope, prefix: string) => Module | undefined

/** Tells that something could not be evaluated, at a place of the file. */
export type Missing = (where: string, message: string) => void

/** One resource as Terraform would make it: one for each of its count or for_each. */
export interface Instance {
  readonly file: string
  /** `module.shop.aws_appmesh_route.prices["v2"]` */
  readonly address: string
  readonly type: string
  /** Its arguments, with their places; what cannot be told is told to be missing. */
  read(missing: Missing): Traced
}

/** A module with the values of its variables: the root of a configuration, or a call of it. */
export class Module implements Scope {
  readonly files: ModuleFiles
  readonly effort: Effort
  readonly #prefix: string
  /** Values of the caller's: `undefined` where it gives none. */
  readonly #variable: (name: string) => unknown
  /** Values of the user's for what only an apply tells, by address. */
  readonly #given: Json
  readonly #call: Call
  readonly #caller: Module | undefined
  readonly #open = new Set<string>()
  readonly #told = new Map<string, unknown>()

  constructor(
    files: ModuleFiles, prefix: string, variable: (name: string) => unknown, given: Json, call: Call, effort: Effort, caller?: Module,
  ) {
    this.files = files
    this.effort = effort
    this.#caller = caller
    this.#prefix = prefix
    this.#variable = variable
    this.#given = given
    this.#call = call
  }

  get #where(): string {
    return this.files.directory === '.' ? 'this directory' : this.files.directory
  }

  /** Whether it is made of these files, or called by one that is. */
  within(files: ModuleFiles): boolean {
    return this.files === files || this.#caller?.within(files) === true
  }

  with(names: Json): Scope {
    return within(this, names)
  }

  lookup(path: readonly Segment[]): unknown {
    const [root, name, ...rest] = path
    const given = `${this.#prefix}${addressOf(path)}`
    if (Object.hasOwn(this.#given, given)) return this.#given[given]
    if (path.length < (root === 'data' ? 3 : 2)) throw new Unevaluated(`names ${addressOf(path)}, which is no value: name what is meant of it`)
    const label = addressOf(path.slice(0, 2))
    switch (root) {
      case 'var': return dig(this.#once(label, () => this.#readVariable(String(name))), rest, label)
      case 'local': return dig(this.#once(label, () => this.#readLocal(String(name))), rest, label)
      case 'module': return this.#readModule(String(name), rest)
      case 'data': return this.#resource(this.files.data, 'data', path)
      case 'path': case 'terraform': case 'self': case 'each': case 'count':
        throw new Unevaluated(`needs ${addressOf(path)}, which is not known here: write the value, or ${giveVariable(given)}`)
      default: return this.#resource(this.files.resources, '', path)
    }
  }

  /** The value of a part of the configuration. Throws `Unevaluated`. */
  value(written: unknown, scope: Scope = this): unknown {
    if (typeof written === 'string') return isTemplate(written) ? this.#text(written, scope) : written
    if (Array.isArray(written)) return written.map((item) => this.value(item, scope))
    if (typeof written !== 'object' || written === null) return written
    return Object.fromEntries(Object.entries(written).map(([name, field]) => [asText(this.value(name, scope), 'a name'), this.value(field, scope)]))
  }

  #text(written: string, scope: Scope): unknown {
    const pieces = templatePieces(written)
    const [only] = pieces
    if (pieces.length === 1 && 'expression' in only!) return this.#expression(only.expression, scope)
    return joined(pieces.map((piece) =>
      'text' in piece ? piece.text : asText(this.#expression(piece.expression, scope), `\${${quote(piece.expression)}}`)))
  }

  #expression(source: string, scope: Scope): unknown {
    const ast = this.files.expressions.get(source)
    if (!ast || ast instanceof Error) throw new Unevaluated(`has an expression that cannot be read: ${quote(source)}`)
    return evaluate(ast, source, scope)
  }

  #once(label: string, read: () => unknown): unknown {
    if (this.#told.has(label)) return this.#told.get(label)
    if (this.#open.has(label)) throw new Unevaluated(`needs ${label}, which is made of itself`)
    this.#open.add(label)
    try {
      const value = read()
      this.#told.set(label, value)
      return value
    } finally {
      this.#open.delete(label)
    }
  }

  #readVariable(name: string): unknown {
    const block = this.files.variables.get(name)
    const given = this.#variable(name)
    if (given !== undefined) return given
    if (!block) throw new Unevaluated(`needs var.${name}, which no file of ${this.#where} declares; it has ${quoted(this.files.variables.keys())}`)
    if (Object.hasOwn(block.body, 'default')) return this.value(block.body.default)
    throw new Unevaluated(`needs the variable "${name}", which has no default: ${giveVariable(name)}`)
  }

  #readLocal(name: string): unknown {
    const local = this.files.locals.get(name)
    if (!local) throw new Unevaluated(`needs local.${name}, which no file of ${this.#where} declares; it has ${quoted(this.files.locals.keys())}`)
    return this.value(local.value)
  }

  #readModule(name: string, path: readonly Segment[]): unknown {
    const block = this.files.modules.get(name)
    if (!block) throw new Unevaluated(`needs module.${name}, which no file of ${this.#where} calls; it has ${quoted(this.files.modules.keys())}`)
    const made = this.#instances(block, `module.${name}`)
    const [output, ...rest] = made === undefined ? path : path.slice(1)
    const one = made === undefined ? { scope: this, address: `module.${name}` } : made.get(path[0]!)
    if (!one) throw new Unevaluated(`needs ${addressOf(['module', name, ...path])}, and count or for_each make no such module`)
    const address = `${this.#prefix}${addressOf(['module', name, ...path])}`
    const called = this.#call(this, block, one.scope, `${this.#prefix}${one.address}.`)
    const told = called?.files.outputs.get(String(output))
    if (!called || !told) {
      throw new Unevaluated(`needs ${addressOf(['module', name, ...path])}, and the files of that module are not among those read: ` +
        `add them, or ${giveVariable(address)}`)
    }
    return dig(called.value(told.body.value), rest, `module.${name}.${String(output)}`)
  }

  #resource(blocks: ReadonlyMap<string, Block>, kind: string, path: readonly Segment[]): unknown {
    const [type, name, ...rest] = kind === '' ? path : path.slice(1)
    const key = `${String(type)}.${String(name)}`
    const block = blocks.get(key)
    if (!block) {
      throw new Unevaluated(`needs ${addressOf(path)}, and no file of ${this.#where} has ${kind === '' ? key : `data.${key}`}: ` +
        `add the file that does, or ${giveVariable(`${this.#prefix}${addressOf(path)}`)}`)
    }
    const address = kind === '' ? key : `data.${key}`
    const attributes = (scope: Scope, instance: string): Attributes => ({
      attribute: (attribute) => this.#attribute(block, String(type), attribute, scope, instance),
    })
    const made = this.#instances(block, address)
    const each = [...made ?? []].map(([key, one]) => [key, attributes(one.scope, one.address)] as const)
    const several = Object.hasOwn(block.body, 'count') ? each.map(([, one]) => one) : Object.fromEntries(each)
    const value = made ? several : attributes(this, address)
    return rest.length === 0 ? value : dig(value, rest, address)
  }

  /** What an attribute of a resource is, as far as its arguments tell. */
  #attribute(block: Block, type: string, attribute: string, scope: Scope, address: string): unknown {
    const given = `${this.#prefix}${address}.${attribute}`
    if (Object.hasOwn(this.#given, given)) return this.#given[given]
    const argument = (name: string): unknown => this.#once(`${address}.${name}`, () => this.value(block.body[name], scope))
    if (Object.hasOwn(block.body, attribute)) return argument(attribute)
    const own = type.startsWith('aws_appmesh_')
    if (own && type === 'aws_appmesh_mesh' && attribute === 'id' && Object.hasOwn(block.body, 'name')) return argument('name')
    const kind = Object.hasOwn(types, type) ? types[type] : undefined
    if (kind !== undefined && attribute === 'arn' && Object.hasOwn(block.body, 'name')) {
      const mesh = asText(argument(kind === 'mesh' ? 'name' : 'mesh_name'), 'the mesh')
      return `arn:aws:appmesh:::mesh/${mesh}${kind === 'mesh' ? '' : `/${kind}/${asText(argument('name'), 'the name')}`}`
    }
    const hint = own && attribute === 'id' ? `: write ${address}.name, which App Mesh wants` : ''
    throw new Unevaluated(`needs ${address}.${attribute}, which is known after an apply only${hint || ': read the state instead (terraform show -json), ' +
      `or ${giveVariable(given)}`}`)
  }

  /** Those that count or for_each make of a block, by their keys; `undefined` where it has neither, and is one. */
  #instances(block: Block, address: string): ReadonlyMap<Segment, Keyed> | undefined {
    return this.#once(`how many ${address} there are`, () => this.#counted(block, address)) as ReadonlyMap<Segment, Keyed> | undefined
  }

  #counted(block: Block, address: string): ReadonlyMap<Segment, Keyed> | undefined {
    this.effort.spend(toCount)
    if (Object.hasOwn(block.body, 'count')) {
      const count = asNumber(this.value(block.body.count), 'count')
      if (!Number.isInteger(count) || count < 0 || count > mostInstances) {
        throw new Unevaluated(`makes ${count} of it with count: 0 to ${mostInstances} can be read`)
      }
      return new Map(Array.from({ length: count }, (_, index) => [index, { scope: this.with({ count: { index } }), address: `${address}[${index}]` }]))
    }
    if (!Object.hasOwn(block.body, 'for_each')) return undefined
    return new Map(eachOf(this.value(block.body.for_each), 'for_each').map(([key, value]) =>
      [key, { scope: this.with({ each: { key, value } }), address: `${address}["${key}"]` }]))
  }

  /** All App Mesh resources of the module, and of those that it calls. Tells of those that cannot be counted. */
  *instances(tell: (file: string, address: string, where: string, message: string) => void): Iterable<Instance> {
    for (const [name, block] of this.files.resources) {
      const type = name.slice(0, name.indexOf('.'))
      if (!type.startsWith('aws_appmesh_')) continue
      const address = `${this.#prefix}${name}`
      const made = this.#tried(() => this.#instances(block, name), (message) => { tell(block.file, address, manyOf(block), message) })
      for (const { scope, address: one } of made ? spread(made.value, { scope: this, address: name }) : []) {
        yield { file: block.file, address: `${this.#prefix}${one}`, type, read: (missing) => this.#block(block.body, '', scope, missing) }
      }
    }
    for (const [name, block] of this.files.modules) {
      const address = `${this.#prefix}module.${name}`
      const made = this.#tried(() => this.#instances(block, `module.${name}`), (message) => { tell(block.file, address, manyOf(block), message) })
      for (const { scope, address: one } of made ? spread(made.value, { scope: this, address: `module.${name}` }) : []) {
        yield* this.#call(this, block, scope, `${this.#prefix}${one}.`)?.instances(tell) ?? []
      }
    }
  }

  #tried<T>(evaluate: () => T, missing: (message: string) => void): { readonly value: T } | undefined {
    try {
      return { value: evaluate() }
    } catch (error) {
      // Where the stack ends.
      if (!(error instanceof Unevaluated || error instanceof RangeError)) throw error
      missing(error instanceof Unevaluated ? error.message : 'is made of too many things, one out of the other')
      return undefined
    }
  }

  #block(body: Json, where: string, scope: Scope, missing: Missing): Traced {
    const entries = new Map<string, Traced>()
    for (const [name, written] of Object.entries(body)) {
      if (name !== 'dynamic') entries.set(name, this.#part(written, below(where, name), scope, missing))
    }
    for (const [name, blocks] of isObject(body.dynamic) ? Object.entries(body.dynamic) : []) {
      const items = [blocks].flat().filter(isObject).flatMap((block) => this.#dynamic(name, block, below(where, name), scope, missing))
      const before = entries.get(name)
      entries.set(name, { kind: 'list', where: below(where, name), items: [...(before?.kind === 'list' ? before.items : []), ...items] })
    }
    return { kind: 'object', where, entries }
  }

  /** What a dynamic block comes to: one block for each of its for_each. */
  #dynamic(name: string, block: Json, where: string, scope: Scope, missing: Missing): readonly Traced[] {
    const each = this.#tried(() => blocksOf(this.value(block.for_each, scope)), (message) => { missing(where, message) })
    const iterator = typeof block.iterator === 'string' ? block.iterator.replace(/^\$\{(.*)\}$/, '$1') : name
    const content = [block.content].flat().find(isObject)
    return (each?.value ?? []).map(([key, value]) =>
      this.#block(content ?? {}, `${where}[${JSON.stringify(key)}]`, scope.with({ [iterator]: { key, value } }), missing))
  }

  #traced(value: unknown, where: string): Traced {
    this.effort.spend(this.effort.weigh(value) * toKeep)
    return trace(value, where)
  }

  #part(written: unknown, where: string, scope: Scope, missing: Missing): Traced {
    if (Array.isArray(written)) {
      const place = (at: number): string => written.length === 1 && typeof written[0] === 'object' ? where : `${where}[${at}]`
      return { kind: 'list', where, items: written.map((item, at) => this.#part(item, place(at), scope, missing)) }
    }
    if (typeof written === 'object' && written !== null) return this.#block(written as Json, where, scope, missing)
    if (typeof written !== 'string') return plain(written as number | boolean | null, where)
    const trace = (): Traced => this.#traced(plainly(this.value(written, scope)), where)
    const traced = this.#tried(trace, (message) => { missing(where, message) })
    return traced?.value ?? { kind: 'unread', where }
  }
}

/** What a block costs: modules that call others several times over are many with few words. */
const toCount = 5_000

/** What a value that is kept with its places costs, against one that is only looked at. */
const toKeep = 50

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

const mostInstances = 1000

interface Keyed { readonly scope: Scope, readonly address: string }

const manyOf = ({ body }: Block): string => Object.hasOwn(body, 'count') ? 'count' : 'for_each'

const spread = (made: ReadonlyMap<Segment, Keyed> | undefined, single: Keyed): readonly Keyed[] => made ? [...made.values()] : [single]

/** What for_each goes through, with its keys: those of a map, or the items of a set themselves. */
const eachOf = (value: unknown, what: string): readonly (readonly [string, unknown])[] => {
  if (Array.isArray(value)) {
    return Array.from(value, (item: unknown) => [typeof item === 'object' ? JSON.stringify(item) : asText(item, what), item] as const)
  }
  if (typeof value === 'object' && value !== null) return Object.entries(value)
  throw new Unevaluated(`goes through ${kindOf(value)} with ${what}: it takes a map or a set`)
}

/** What a dynamic block goes through: as for_each, but of a list the keys are indices. */
const blocksOf = (value: unknown): readonly (readonly [string | number, unknown])[] =>
  Array.isArray(value) && !(value instanceof TerraformSet) ? [...(value as unknown[]).entries()] : eachOf(value, 'for_each')

/** Refuses what is no value but a resource as a whole. */
const plainly = (value: unknown): unknown => {
  if (typeof value === 'object' && value !== null && 'attribute' in value && typeof value.attribute === 'function') {
    throw new Unevaluated('names a resource as a whole: name one of its attributes')
  }
  return value
}

const quoted = (names: Iterable<string>): string => [...names].map((name) => `"${name}"`).join(', ') || 'none'

/** A path as Terraform writes it. */
export const addressOf = (path: readonly Segment[]): string => path.reduce<string>((address, segment, at) =>
  at === 0 ? String(segment) : typeof segment === 'number' ? `${address}[${segment}]` : `${address}.${segment}`, '')

const within = (scope: Scope, names: Json): Scope => ({
  effort: scope.effort,
  lookup: (path) => {
    const [root, ...rest] = path
    return Object.hasOwn(names, root!) ? dig(names[root!], rest, addressOf(path)) : scope.lookup(path)
  },
  with: (more) => within(scope, { ...names, ...more }),
})
