import { naming, plain, textOf, written, type Traced } from '../../body/traced.ts'

type Evaluated = Traced | undefined

/** What the functions of CloudFormation ask of the template that they stand in. */
export interface FunctionContext {
  evaluate(traced: Traced): Evaluated
  /** Tells a fault at a place, and stands in for the value that it cost. */
  fail(where: string, message: string): Traced
  ref(name: string, where: string): Evaluated
  attribute(name: string, attribute: string, where: string): Evaluated
  /** Whether a condition holds; `undefined` where that could not be told, and a fault was. */
  condition(name: string, where: string): boolean | undefined
  mapping(map: string, first: string, second: string, where: string): Evaluated
  imported(name: string, where: string): Evaluated
}

type Fn = (context: FunctionContext, argument: Traced, where: string) => Evaluated

const unread = (where: string): Traced => ({ kind: 'unread', where })

/** A list with a certain number of items, as most functions take; a fault where it is anything else. */
const items = (
  context: FunctionContext, argument: Traced, name: string, wanted: string, [least, most]: readonly [number, number],
): readonly Traced[] | undefined => {
  if (argument.kind === 'list' && argument.items.length >= least && argument.items.length <= most) return argument.items
  const found = argument.kind === 'list' ? `a list of ${argument.items.length}` : naming(argument)
  context.fail(argument.where, `gives ${name} ${found}: write ${wanted}`)
  return undefined
}

/** What an argument comes to, as text; a fault where it is none. */
const text = (context: FunctionContext, argument: Traced, name: string, what: string): string | undefined => {
  const value = context.evaluate(argument)
  if (value?.kind === 'plain' && value.value !== null) return written(value)
  if (value?.kind !== 'unread') context.fail(argument.where, `gives ${name} ${naming(value)} as ${what}: write a text`)
  return undefined
}

/** What an argument comes to, as a list; a fault where it is none. */
const list = (context: FunctionContext, argument: Traced, name: string): readonly Traced[] | undefined => {
  const value = context.evaluate(argument)
  if (value?.kind === 'list') return value.items
  if (value?.kind !== 'unread') context.fail(argument.where, `gives ${name} ${naming(value)}: write a list, or what gives one, as !Split does`)
  return undefined
}

/** Longer than what anything in a mesh can be; texts that are made of themselves twice over grow without end. */
const longest = 100_000

/** More than a list in a mesh can have. */
const mostPieces = 1_000

const joined = (context: FunctionContext, texts: readonly string[], delimiter: string, where: string): Traced => {
  const length = texts.reduce((sum, text) => sum + text.length, delimiter.length * texts.length)
  return length > longest ? context.fail(where, `comes to a text of more than ${longest} characters`) : plain(texts.join(delimiter), where)
}

const getAtt: Fn = (context, argument, where) => {
  const written = textOf(argument)
  if (written !== undefined) {
    const dot = written.indexOf('.')
    if (dot > 0) return context.attribute(written.slice(0, dot), written.slice(dot + 1), where)
    return context.fail(where, `gives Fn::GetAtt "${written}": write LogicalId.Attribute`)
  }
  const pair = items(context, argument, 'Fn::GetAtt', '[LogicalId, Attribute]', [2, 2])
  const id = pair && textOf(pair[0])
  const attribute = pair && text(context, pair[1]!, 'Fn::GetAtt', 'the attribute')
  if (pair && id === undefined) return context.fail(pair[0]!.where, `gives Fn::GetAtt ${naming(pair[0])} as the logical id: write a text`)
  return id === undefined || attribute === undefined ? unread(where) : context.attribute(id, attribute, where)
}

const variable = /\$\{(!?)([^}]*)\}/

const sub: Fn = (context, argument, where) => {
  const pair = argument.kind === 'list' ? items(context, argument, 'Fn::Sub', 'a text, or [text, { Name: value }]', [2, 2]) : [argument]
  if (!pair) return unread(where)
  const template = pair[0]!.kind === 'plain' && pair[0]!.value !== null ? written(pair[0]!) : undefined
  if (template === undefined) return context.fail(pair[0]!.where, `gives Fn::Sub ${naming(pair[0])}: write a text`)
  const own = pair[1]
  if (own && own.kind !== 'object') return context.fail(own.where, `gives Fn::Sub ${naming(own)} as its variables: write an object, { Name: value }`)
  // Splitting at groups keeps them: what stands between the variables, then the mark of a literal one, and the name.
  const pieces = template.split(variable)
  const texts = pieces.map((piece, at) => {
    if (at % 3 === 0) return piece
    if (at % 3 === 1) return ''
    return pieces[at - 1] === '!' ? `\${${piece}}` : part(context, piece.trim(), own?.entries.get(piece.trim()), where)
  })
  return texts.includes(undefined) ? unread(where) : joined(context, texts as string[], '', where)
}

const part = (context: FunctionContext, name: string, own: Traced | undefined, where: string): string | undefined => {
  const dot = name.indexOf('.')
  const value = own ? context.evaluate(own)
    : dot > 0 ? context.attribute(name.slice(0, dot), name.slice(dot + 1), where) : context.ref(name, where)
  if (value?.kind === 'plain') return written(value)
  if (value?.kind !== 'unread') {
    context.fail(where, `puts ${value ? naming(value) : 'AWS::NoValue'} into the text with \${${name}}: only a text can stand there`)
  }
  return undefined
}

const join: Fn = (context, argument, where) => {
  const pair = items(context, argument, 'Fn::Join', '[delimiter, [values]]', [2, 2])
  const delimiter = pair && (pair[0]!.kind === 'plain' ? written(pair[0]!) : undefined)
  if (pair && delimiter === undefined) return context.fail(pair[0]!.where, `gives Fn::Join ${naming(pair[0])} as its delimiter: write a text`)
  const values = pair && list(context, pair[1]!, 'Fn::Join')
  if (values === undefined) return unread(where)
  const texts = values.map((value) => {
    if (value.kind === 'plain') return written(value)
    if (value.kind !== 'unread') context.fail(value.where, `gives Fn::Join ${naming(value)} to join: write a text`)
    return undefined
  })
  return texts.includes(undefined) ? unread(where) : joined(context, texts as string[], delimiter!, where)
}

const split: Fn = (context, argument, where) => {
  const pair = items(context, argument, 'Fn::Split', '[delimiter, text]', [2, 2])
  const delimiter = pair && text(context, pair[0]!, 'Fn::Split', 'its delimiter')
  const source = pair && text(context, pair[1]!, 'Fn::Split', 'its text')
  if (delimiter === undefined || source === undefined) return unread(where)
  const pieces = source.split(delimiter)
  if (pieces.length > mostPieces) return context.fail(where, `gives a list of more than ${mostPieces} texts`)
  return { kind: 'list', where, items: pieces.map((piece, at) => plain(piece, `${where}[${at}]`)) }
}

const select: Fn = (context, argument, where) => {
  const pair = items(context, argument, 'Fn::Select', '[index, [values]]', [2, 2])
  const index = pair && text(context, pair[0]!, 'Fn::Select', 'its index')
  const values = pair && list(context, pair[1]!, 'Fn::Select')
  if (index === undefined || values === undefined) return unread(where)
  const value = /^\d+$/.test(index) ? values[Number(index)] : undefined
  return value ?? context.fail(where, `selects item ${index} of a list of ${values.length}: the first is 0`)
}

const choose: Fn = (context, argument, where) => {
  const three = items(context, argument, 'Fn::If', '[condition, value if it holds, value if not]', [3, 3])
  if (!three) return unread(where)
  const name = textOf(three[0])
  if (name === undefined) return context.fail(three[0]!.where, `gives Fn::If ${naming(three[0])} as its condition: write the name of one of the Conditions`)
  const holds = context.condition(name, three[0]!.where)
  return holds === undefined ? unread(where) : context.evaluate(three[holds ? 1 : 2]!)
}

const findInMap: Fn = (context, argument, where) => {
  const all = items(context, argument, 'Fn::FindInMap', '[map, first key, second key]', [3, 4])
  const [map, first, second] = all?.slice(0, 3).map((key) => text(context, key, 'Fn::FindInMap', 'a key')) ?? []
  if (!all || map === undefined || first === undefined || second === undefined) return unread(where)
  const found = context.mapping(map, first, second, where)
  if (found) return found
  const other = all[3]?.kind === 'object' ? all[3].entries.get('DefaultValue') : undefined
  return other ? context.evaluate(other) : context.fail(where, `looks for Mappings.${map}.${first}.${second}, which this template does not have`)
}

const equals: Fn = (context, argument, where) => {
  const pair = items(context, argument, 'Fn::Equals', '[value, value]', [2, 2])
  const [one, other] = pair?.map((value) => context.evaluate(value)) ?? []
  if (!one || !other || one.kind === 'unread' || other.kind === 'unread') return unread(where)
  return plain(sameText(one) === sameText(other), where)
}

const sameText = (value: Traced): string =>
  value.kind === 'plain' ? written(value) : JSON.stringify(value, (key, part: unknown) => key === 'where' ? undefined : part)

/** Whether something in the Conditions section holds. */
const holds = (context: FunctionContext, traced: Traced): boolean | undefined => {
  const value = context.evaluate(traced)
  if (value?.kind === 'plain' && /^(?:true|false)$/.test(String(value.value))) return String(value.value) === 'true'
  if (value?.kind !== 'unread') context.fail(traced.where, `is ${naming(value)}, and no condition: write Fn::Equals, Fn::And, Fn::Or, Fn::Not or Condition`)
  return undefined
}

const combined = (
  name: string, combine: (all: readonly boolean[]) => boolean, counts: readonly [number, number], wanted: string,
): Fn => (context, argument, where) => {
  const all = items(context, argument, name, wanted, counts)?.map((item) => holds(context, item))
  return !all || all.includes(undefined) ? unread(where) : plain(combine(all as boolean[]), where)
}

const severalConditions = 'a list of two to ten conditions'

/** The functions of CloudFormation that a mesh definition can be made with, by the names that JSON has for them. */
export const functions: Readonly<Record<string, Fn>> = {
  'Ref': (context, argument, where) => {
    const name = textOf(argument)
    return name === undefined ? context.fail(where, `gives Ref ${naming(argument)}: write the name of a parameter or resource`) : context.ref(name, where)
  },
  'Condition': (context, argument, where) => {
    const name = textOf(argument)
    // In a property it is a name like any other.
    if (name === undefined) return { kind: 'object', where, entries: new Map([['Condition', context.evaluate(argument) ?? argument]]) }
    const holding = context.condition(name, where)
    return holding === undefined ? unread(where) : plain(holding, where)
  },
  'Fn::GetAtt': getAtt,
  'Fn::Sub': sub,
  'Fn::Join': join,
  'Fn::Split': split,
  'Fn::Select': select,
  'Fn::If': choose,
  'Fn::FindInMap': findInMap,
  'Fn::Equals': equals,
  'Fn::And': combined('Fn::And', (all) => all.every(Boolean), [1, 10], severalConditions),
  'Fn::Or': combined('Fn::Or', (all) => all.some(Boolean), [1, 10], severalConditions),
  'Fn::Not': combined('Fn::Not', ([only]) => !only, [1, 1], 'a list of one condition'),
  'Fn::ImportValue': (context, argument, where) => {
    const name = text(context, argument, 'Fn::ImportValue', 'the name of the export')
    return name === undefined ? unread(where) : context.imported(name, where)
  },
  'Fn::Base64': (context, argument, where) => {
    const plainText = text(context, argument, 'Fn::Base64', 'its text')
    return plainText === undefined ? unread(where) : plain(Buffer.from(plainText).toString('base64'), where)
  },
  'Fn::Length': (context, argument, where) => {
    const values = list(context, argument, 'Fn::Length')
    return values === undefined ? unread(where) : plain(values.length, where)
  },
}
