import type { Effort } from './effort.ts'
import { asFlag, asNumber, asText, functions, joined, kindOf, Unevaluated } from './functions.ts'

/** A parsed expression, as hcl2json gives it: only what is read of it. */
export interface Ast {
  readonly type: string
  readonly range?: { readonly start: { readonly byte: number }, readonly end: { readonly byte: number } }
  readonly meta: {
    readonly value?: string
    readonly type?: string
    readonly name?: string
    readonly operator?: string
    readonly keyVar?: string
    readonly valVar?: string
    readonly groupedValue?: boolean
    readonly keyExpression?: string
    readonly conditionalExpression?: string
    readonly expandedFinalArgument?: boolean
    readonly traversal?: readonly { readonly type: string, readonly segment: string }[]
  }
  readonly children: readonly Ast[] | null
}

/** A step of a reference: a name, or an index. */
export type Segment = string | number

/** What an expression can refer to. */
export interface Scope {
  /** What is spent on the whole configuration. */
  readonly effort: Effort
  /**
   * What a name means: `['var', 'port']`, `['aws_appmesh_mesh', 'shop', 'id']`. Throws `Unevaluated` where that cannot be told.
   */
  lookup(path: readonly Segment[]): unknown
  /** The same with names of one's own. */
  with(names: Readonly<Record<string, unknown>>): Scope
}

/** A value whose parts are told when they are asked for: a resource. */
export interface Attributes { attribute(name: string): unknown }

const isAttributes = (value: unknown): value is Attributes =>
  typeof value === 'object' && value !== null && 'attribute' in value && typeof value.attribute === 'function'

/** The part of a value that a path leads to. */
export const dig = (value: unknown, path: readonly Segment[], name: string): unknown => path.reduce((whole: unknown, segment) => {
  if (isAttributes(whole)) return whole.attribute(String(segment))
  if (Array.isArray(whole) && Number(segment) in whole) return whole[Number(segment)] as unknown
  if (typeof whole === 'object' && whole !== null && Object.hasOwn(whole, segment)) return (whole as Record<string, unknown>)[segment]
  throw new Unevaluated(`asks ${name} for "${segment}", which ${kindOf(whole)} there does not have`)
}, value)

const operators: Readonly<Record<string, (one: unknown, other: unknown) => unknown>> = {
  equal: (one, other) => same(one, other),
  notEqual: (one, other) => !same(one, other),
  add: (one, other) => asNumber(one, '+') + asNumber(other, '+'),
  subtract: (one, other) => asNumber(one, '-') - asNumber(other, '-'),
  multiply: (one, other) => asNumber(one, '*') * asNumber(other, '*'),
  divide: (one, other) => asNumber(one, '/') / divisor(other, '/'),
  modulo: (one, other) => asNumber(one, '%') % divisor(other, '%'),
  lessThan: (one, other) => asNumber(one, '<') < asNumber(other, '<'),
  lessThanOrEqual: (one, other) => asNumber(one, '<=') <= asNumber(other, '<='),
  greaterThan: (one, other) => asNumber(one, '>') > asNumber(other, '>'),
  greaterThanOrEqual: (one, other) => asNumber(one, '>=') >= asNumber(other, '>='),
}

const divisor = (value: unknown, operator: string): number => {
  const number = asNumber(value, operator)
  if (number === 0) throw new Unevaluated(`divides by 0 with ${operator}`)
  return number
}

const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other)

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\' }

/** A piece of a quoted text as it was written. */
const unescaped = (written: string): string => written
  .replace(/\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/g, (found, short: string | undefined, long: string | undefined, plain: string | undefined) =>
    plain === undefined ? String.fromCodePoint(Number.parseInt(short ?? long!, 16)) : escapes[plain] ?? found)
  .replaceAll('$${', '${').replaceAll('%%{', '%{')

const segmentsOf = (ast: Ast): readonly Segment[] => (ast.meta.traversal ?? []).map(({ type, segment }) => {
  if (type !== 'indexTraversal') return segment
  return segment.startsWith('"') ? unescaped(segment.slice(1, -1)) : Number(segment)
})

/** Against one letter of a text. */
const perStep = 100

const longestQuote = 60

/** An expression as messages have it. */
export const quote = (source: string): string => source.length > longestQuote ? `${source.slice(0, longestQuote)}…` : source

/** Evaluates a parsed expression; `source` is its text. Throws `Unevaluated` where only Terraform could. */
export const evaluate = (ast: Ast, source: string, scope: Scope): unknown => {
  const { effort } = scope
  effort.spend(perStep)
  const children = ast.children ?? []
  const of = (child: Ast | undefined): unknown => {
    if (!child) throw new Unevaluated(`has an expression that cannot be read here: ${quote(source)}`)
    return evaluate(child, source, scope)
  }
  switch (ast.type) {
    case 'literalValue': return literal(ast)
    case 'template': return joined(children.map((piece) => asText(of(piece), 'a piece of text')))
    case 'templateWrap': return of(children[0])
    case '': return of(children[0])
    case 'scopeTraversal': return scope.lookup(segmentsOf(ast))
    case 'relativeTraversal': return dig(of(children[0]), segmentsOf(ast), ast.meta.value ?? source)
    case 'index': return dig(of(children[0]), [keyOf(of(children[1]))], ast.meta.value ?? source)
    case 'conditional': return of(asFlag(of(children[0]), 'the condition') ? children[1] : children[2])
    case 'unaryOp': return ast.meta.operator === 'negate' ? -asNumber(of(children[0]), '-') : !asFlag(of(children[0]), '!')
    case 'binaryOp': return binary(ast, of, effort)
    case 'tuple': return children.map(of)
    case 'object': return object(ast, source, of)
    case 'function': return call(ast, of, effort)
    case 'splat': return splat(ast, of)
    case 'for': return comprehension(ast, source, scope)
    default: throw new Unevaluated(`has an expression that only Terraform can evaluate: ${quote(source)}`)
  }
}

type Of = (child: Ast | undefined) => unknown

const literal = ({ meta: { type, value = '' } }: Ast): unknown => {
  if (type === 'number') return Number(value)
  if (type === 'bool') return value === 'true'
  return type === 'string' ? unescaped(value) : null
}

const keyOf = (value: unknown): Segment => typeof value === 'number' ? value : asText(value, 'an index')

const binary = ({ meta: { operator = '' }, children }: Ast, of: Of, effort: Effort): unknown => {
  const [one, other] = children ?? []
  if (operator === 'logicalAnd') return asFlag(of(one), '&&') && asFlag(of(other), '&&')
  if (operator === 'logicalOr') return asFlag(of(one), '||') || asFlag(of(other), '||')
  const operate = Object.hasOwn(operators, operator) ? operators[operator] : undefined
  if (!operate) throw new Unevaluated(`has an operator that only Terraform knows (${operator})`)
  const values = [of(one), of(other)] as const
  effort.spend(effort.weigh(values))
  return operate(...values)
}

const object = (ast: Ast, source: string, of: Of): unknown => {
  const children = ast.children ?? []
  const all: [string, unknown][] = []
  for (let at = 0; at + 1 < children.length; at += 2) {
    const key = children[at]!
    all.push([(key.children ?? []).length === 0 ? written(key, source) : asText(of(key), 'a key'), of(children[at + 1])])
  }
  return Object.fromEntries(all)
}

const written = ({ range }: Ast, source: string): string => Buffer.from(source).subarray(range?.start.byte, range?.end.byte).toString()

const call = ({ meta, children }: Ast, of: Of, effort: Effort): unknown => {
  const name = meta.name ?? ''
  // Takes the first of its arguments that can be told.
  if (name === 'try') return attempt(children ?? [], of)
  const fn = Object.hasOwn(functions, name) ? functions[name] : undefined
  if (!fn) throw new Unevaluated(`calls ${name}(), which only Terraform can do`)
  const args = (children ?? []).map(of)
  effort.spend(effort.weigh(args))
  const last = meta.expandedFinalArgument === true ? args.pop() : []
  return fn(...args, ...(Array.isArray(last) ? last as unknown[] : [last]))
}

const attempt = (args: readonly Ast[], of: Of): unknown => {
  for (const arg of args) {
    try {
      return of(arg)
    } catch (error) {
      if (!(error instanceof Unevaluated)) throw error
    }
  }
  throw new Unevaluated('has a try() of which nothing can be told')
}

const splat = ({ children, meta }: Ast, of: Of): unknown => {
  const [source, each] = children ?? []
  const value = of(source)
  const all = Array.isArray(value) ? value as unknown[] : value === null ? [] : [value]
  const path = each?.type === 'relativeTraversal' ? segmentsOf(each) : []
  return all.map((one) => dig(one, path, meta.value ?? 'a splat'))
}

const comprehension = ({ meta, children }: Ast, source: string, scope: Scope): unknown => {
  const parts = [...children ?? []]
  const collection = evaluate(parts.shift()!, source, scope)
  const condition = meta.conditionalExpression ? parts.pop() : undefined
  const result = parts.pop()!
  const [key] = parts
  const all: readonly (readonly [Segment, unknown])[] | undefined = Array.isArray(collection) ? [...(collection as unknown[]).entries()]
    : typeof collection === 'object' && collection !== null ? Object.entries(collection) : undefined
  if (!all) throw new Unevaluated(`goes through ${kindOf(collection)} with for: it takes a list or a map`)
  const made: [string, unknown][] = []
  for (const [at, value] of all) {
    const inside = scope.with({ ...(meta.keyVar ? { [meta.keyVar]: at } : {}), [meta.valVar!]: value })
    if (condition && !asFlag(evaluate(condition, source, inside), 'if')) continue
    made.push([key ? asText(evaluate(key, source, inside), 'a key') : '', evaluate(result, source, inside)])
  }
  if (!key) return made.map(([, value]) => value)
  if (!meta.groupedValue) return Object.fromEntries(made)
  const groups = new Map<string, unknown[]>(made.map(([name]) => [name, []]))
  for (const [name, value] of made) groups.get(name)!.push(value)
  return Object.fromEntries(groups)
}
