import type * as Yaml from 'yaml'
import type { Source } from '../found.ts'
import { below, plain, type Traced, type TracedObject } from './traced.ts'

/** Deeper than any definition, and far from what the stack holds. */
const deepest = 100

/** How many values aliases may bring in: more than a definition needs, less than what stops a process. */
const longestExpansion = 10_000

/** Thrown where a file breaks the rules of YAML; its message has the line and the column. */
export class NotYaml extends Error {}

/** What a tag of a node, and the value below it, come to. */
export type TagReader = (tag: string, read: (where: string) => Traced, where: string) => Traced

const noTags: TagReader = (tag) => { throw new NotYaml(`the tag ${tag} has no meaning here: write the plain value`) }

/**
 * Reads the documents of a YAML 1.2 file, and JSON, which is YAML too, into traced values. Merge keys (`<<`) and aliases are
 * followed. Throws `NotYaml` for what is not YAML, or is more than a definition can be.
 */
export const readDocuments = async ({ text }: Source, tag: TagReader = noTags): Promise<readonly Traced[]> => {
  // Loaded when first needed: who configures in code never pays for it.
  const yaml = await import('yaml')
  const lines = new yaml.LineCounter()
  const documents = yaml.parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, merge: true, schema: 'core', uniqueKeys: true })
  if (!Array.isArray(documents)) return []
  return documents.map((document) => {
    const [fault] = document.errors
    if (fault) {
      const { line, col } = lines.linePos(fault.pos[0])
      throw new NotYaml(`line ${line}, column ${col}: ${fault.message}`)
    }
    return new Reader(yaml, document, lines, tag).read(document.contents, '', 0)
  })
}

class Reader {
  readonly #yaml: typeof Yaml
  readonly #document: Yaml.Document.Parsed
  readonly #lines: Yaml.LineCounter
  readonly #tag: TagReader
  #expanding = 0
  #expanded = 0

  constructor(yaml: typeof Yaml, document: Yaml.Document.Parsed, lines: Yaml.LineCounter, tag: TagReader) {
    this.#yaml = yaml
    this.#document = document
    this.#lines = lines
    this.#tag = tag
  }

  read(node: Yaml.Node | null, where: string, depth: number): Traced {
    if (node === null) return plain(null, where)
    if (depth > deepest) return this.#refuse(node, `is nested more than ${deepest} levels deep`)
    if (this.#expanding > 0 && ++this.#expanded > longestExpansion) {
      return this.#refuse(node, `aliases (*name) bring in more than ${longestExpansion} values`)
    }
    if (this.#yaml.isAlias(node)) return this.#aliased(node, where, depth)
    const { tag } = node
    if (tag === undefined || !tag.startsWith('!') || tag === '!') return this.#written(node, where, depth)
    return this.#tag(tag, (inside) => this.#written(node, inside, depth + 1), where)
  }

  #aliased(alias: Yaml.Alias, where: string, depth: number): Traced {
    const target = alias.resolve(this.#document)
    if (target === undefined) return this.#refuse(alias, 'this alias (*name) has no anchor (&name) before it')
    this.#expanding++
    // An alias within what it refers to goes on until it is too deep.
    const traced = this.read(target, where, depth + 1)
    this.#expanding--
    return traced
  }

  #written(node: Yaml.Node, where: string, depth: number): Traced {
    if (this.#yaml.isMap<Yaml.Node, Yaml.Node | null>(node)) return this.#object(node.items, where, depth)
    if (this.#yaml.isSeq<Yaml.Node>(node)) {
      return { kind: 'list', where, items: node.items.map((item, at) => this.read(item, `${where}[${at}]`, depth + 1)) }
    }
    const { value, source } = node as Yaml.Scalar
    if (value === null || typeof value === 'string') return plain(value, where)
    if (typeof value === 'number' || typeof value === 'boolean') return { ...plain(value, where), written: source ?? String(value) }
    // What a tag of YAML's own made of it, as !!binary.
    return plain(source ?? '', where)
  }

  #object(pairs: readonly Yaml.Pair<Yaml.Node, Yaml.Node | null>[], where: string, depth: number): TracedObject {
    const merged = new Map<string, Traced>()
    const entries = new Map<string, Traced>()
    for (const { key, value } of pairs) {
      if (!this.#yaml.isScalar(key)) return this.#refuse(key, 'a name is plain text, not a list or an object')
      const name = typeof key.value === 'symbol' ? '<<' : String(key.value)
      if (name === '<<') {
        for (const [inherited, field] of this.#merge(this.read(value, where, depth + 1), key)) if (!merged.has(inherited)) merged.set(inherited, field)
      } else entries.set(name, this.read(value, below(where, name), depth + 1))
    }
    return { kind: 'object', where, entries: new Map([...merged, ...entries]) }
  }

  *#merge(traced: Traced, key: Yaml.Node): Iterable<[string, Traced]> {
    if (traced.kind === 'object') yield* traced.entries
    else if (traced.kind === 'list') for (const item of traced.items) yield* this.#merge(item, key)
    else this.#refuse(key, 'a merge key (<<) is followed by an object, or a list of them')
  }

  #refuse(node: Yaml.Node, message: string): never {
    const { line, col } = this.#lines.linePos(node.range?.[0] ?? 0)
    throw new NotYaml(`line ${line}, column ${col}: ${message}`)
  }
}
