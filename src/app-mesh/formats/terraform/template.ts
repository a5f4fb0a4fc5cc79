import { Unevaluated } from './functions.ts'

/** A piece of a text in Terraform's language: plain, or an expression between `${` and `}`. */
export type TemplatePiece = { readonly text: string } | { readonly expression: string }

/** Whether a text has anything in it that is not plain. */
export const isTemplate = (text: string): boolean => /[$%]\{/.test(text)

/** Takes a text of Terraform's language apart. Throws `Unevaluated` for `%{ … }` directives, and for what is not closed. */
export const templatePieces = (text: string): readonly TemplatePiece[] => {
  const pieces: TemplatePiece[] = []
  let plain = ''
  for (let at = 0; at < text.length;) {
    const rest = text.slice(at, at + 3)
    if (rest === '$${' || rest === '%%{') {
      plain += rest.slice(1)
      at += 3
    } else if (rest.startsWith('%{')) {
      throw new Unevaluated('has a %{ … } directive, which only Terraform can evaluate')
    } else if (rest.startsWith('${')) {
      const end = closing(text, at + 2)
      if (plain !== '') pieces.push({ text: plain })
      plain = ''
      // `~` cuts white space off the text around, of which names and hosts have none.
      pieces.push({ expression: text.slice(at + 2, end).replace(/^~|~$/g, '').trim() })
      at = end + 1
    } else {
      plain += text[at]
      at++
    }
  }
  if (plain !== '' || pieces.length === 0) pieces.push({ text: plain })
  return pieces
}

/** Where the expression that begins here is closed. Quoted texts in it may have braces, and expressions, of their own. */
const closing = (text: string, from: number): number => {
  let depth = 0
  for (let at = from; at < text.length; at++) {
    const mark = text[at]
    if (mark === '"') at = quoted(text, at + 1)
    else if (mark === '{') depth++
    else if (mark === '}' && depth-- === 0) return at
  }
  throw new Unevaluated('has a ${ that is not closed')
}

const quoted = (text: string, from: number): number => {
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at
    else if (text.startsWith('${', at) && text[at - 1] !== '$') at = closing(text, at + 2)
  }
  throw new Unevaluated('has a text that is not closed')
}

/** All expressions in a value out of hcl2json, at any depth. */
export function* expressionsIn(value: unknown): Iterable<string> {
  if (typeof value === 'string') {
    if (isTemplate(value)) yield* expressionsOf(value)
  } else if (Array.isArray(value)) for (const item of value) yield* expressionsIn(item)
  else if (typeof value === 'object' && value !== null) {
    for (const [name, field] of Object.entries(value)) {
      yield* expressionsIn(name)
      yield* expressionsIn(field)
    }
  }
}

/** Those of a text; what cannot be taken apart has none, and is told when somebody needs it. */
const expressionsOf = (text: string): readonly string[] => {
  try {
    return templatePieces(text).flatMap((piece) => 'expression' in piece ? [piece.expression] : [])
  } catch (error) {
    if (error instanceof Unevaluated) return []
    throw error
  }
}
