import { deepest, refuseTwins, Unreadable, type Entry, type Piece } from './piece.ts'

const space = /[ \t\r\n]*/y
const literal = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y

const hints: Readonly<Record<string, string>> = {
  '/': '; JSON has no comments: a .yaml file may have them',
  '#': '; JSON has no comments: a .yaml file may have them',
  "'": '; JSON knows double quotes only',
  '$': '; a variable stands in double quotes: "${NAME}"',
}

const brokenText = 'this text is not closed on its line, or has a \\ before a character that needs none'

/**
 * Reads JSON as RFC 8259 has it, with places, which `JSON.parse` does not tell.
 * Throws `Unreadable` where the text is anything else, and for a name that is there twice.
 */
export const readJson = (source: string): Piece => new JsonReader(source).whole()

class JsonReader {
  readonly #source: string
  #at = 0

  constructor(source: string) {
    this.#source = source
  }

  whole(): Piece {
    this.#take(space)
    if (this.#at === this.#source.length) return { kind: 'plain', at: 0, value: undefined }
    const piece = this.#value(0)
    this.#take(space)
    if (this.#at < this.#source.length) this.#refuse('expected the end of the file')
    return piece
  }

  #value(depth: number): Piece {
    if (depth > deepest) throw new Unreadable(`is nested more than ${deepest} levels deep`, this.#at)
    const at = this.#at
    if (this.#skip('{')) return { kind: 'object', at, entries: refuseTwins(this.#sequence('}', () => this.#entry(depth))) }
    if (this.#skip('[')) return { kind: 'list', at, items: this.#sequence(']', () => this.#value(depth + 1)) }
    const text = this.#text()
    if (text !== undefined) return { kind: 'plain', at, value: text }
    const written = this.#take(literal)
    if (written === undefined) return this.#refuse('expected a value')
    return { kind: 'plain', at, value: JSON.parse(written) }
  }

  #sequence<Item>(end: '}' | ']', item: () => Item): readonly Item[] {
    const items: Item[] = []
    this.#take(space)
    if (this.#skip(end)) return items
    for (;;) {
      items.push(item())
      this.#take(space)
      if (this.#skip(end)) return items
      if (!this.#skip(',')) this.#refuse(`expected ',' or '${end}'`)
      const comma = this.#at - 1
      this.#take(space)
      if (this.#source[this.#at] === end) throw new Unreadable(`expected no ',' before '${end}'`, comma)
    }
  }

  #entry(depth: number): Entry {
    const at = this.#at
    const name = this.#text()
    if (name === undefined) return this.#refuse('expected a name in double quotes')
    this.#take(space)
    if (!this.#skip(':')) this.#refuse("expected ':'")
    this.#take(space)
    return { name, at, value: this.#value(depth + 1) }
  }

  /** The text that begins here, if one does. Its end is sought by hand: a pattern has no stack for texts of megabytes. */
  #text(): string | undefined {
    const at = this.#at
    if (this.#source[at] !== '"') return undefined
    let end = at + 1
    while (end < this.#source.length && this.#source[end] !== '"') end += this.#source[end] === '\\' ? 2 : 1
    try {
      const text = JSON.parse(this.#source.slice(at, end + 1)) as string
      this.#at = end + 1
      return text
    } catch {
      // Its own message quotes the file.
      return this.#refuse(brokenText)
    }
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const taken = pattern.exec(this.#source)?.[0]
    this.#at += taken?.length ?? 0
    return taken
  }

  #skip(mark: string): boolean {
    if (this.#source[this.#at] !== mark) return false
    this.#at++
    return true
  }

  #refuse(expected: string): never {
    const next = this.#source[this.#at]
    throw new Unreadable(next === undefined ? `the file ends too early: ${expected}` : `${expected}${hints[next] ?? ''}`, this.#at)
  }
}
