import type * as Yaml from 'yaml'
import { wordsFor } from '../../config-file/yaml.ts'
import type { Source } from '../found.ts'
import { below, plain, type Traced, type TracedObject } from './traced.ts'

/** Deeper than any definition, and far from what the stack holds. */
const deepest = 100

/** How many values aliases may bring in: more than a definition needs, less than what stops a process. */
const longestExpansion = 10_000

/** Thrown where a file breaks the rules of YAML; its message quotes nothing of the file. */
export class NotYaml extends Error {
  /** The offset of what is wrong. */
  readonly at: number

  constructor(message: string, at: number) {
    super(message)
    this.at = at
  }
}

/** One document of a source. */
export interface YamlDocument {
  readonly root: Traced
  /** Where each of its values begins in the text, with its name if it has one, by its place. */
  readonly offsets: ReadonlyMap<string, number>
}

/** What a tag of a node, and the value below it, come to. */
export type TagReader = (tag: string, read: (where: string) => Traced, where: string) => Traced

const tooDeep = `is nested more than ${deepest} levels deep`

/** Of a name that is there twice, the library's own words are the best; it quotes nothing. */
const saidOf = (fault: Yaml.YAMLError, text: string): string => {
  if (fault.code === 'DUPLICATE_KEY') return 'this name is written twice in one object: only one of the two could count'
  return fault.code === 'RESOURCE_EXHAUSTION' ? tooDeep : wordsFor(fault, text)
}

/**
 * Reads the documents of a YAML 1.2 file, and JSON, which is YAML too, into traced values. Merge keys (`<<`) and aliases are
 * followed. Throws `NotYaml` for what is not YAML, or is more than a definition can be.
 */
export const readDocuments = async ({ text }: Source, tag?: TagReader): Promise<readonly YamlDocument[]> => {
  // Loaded when first needed: who configures in code never pays for it.
  const yaml = await import('yaml')
  const documents = yaml.parseAllDocuments(text, { prettyErrors: false, merge: true, schema: 'core', uniqueKeys: true })
  if (!Array.isArray(documents)) return []
  return documents.map((document) => {
    const [fault] = document.errors
    if (fault) throw new NotYaml(saidOf(fault, text), fault.pos[0])
    const reader = new Reader(yaml, document, tag)
    return { root: reader.read(document.contents, '', 0), offsets: reader.offsets }
  })
}

class Reader {
  readonly offsets = new Map<string, number>()
  readonly #yaml: typeof Yaml
  readonly #document: Yaml.Document.Parsed
  readonly #tag: TagReader | undefined
  #expanding = 0
  #expanded = 0

  constructor(yaml: typeof Yaml, document: Yaml.Document.Parsed, tag: TagReader | undefined) {
    this.#yaml = yaml
    this.#document = document
    this.#tag = tag
  }

  read(node: Yaml.Node | null, where: string, depth: number): Traced {
    if (node === null) return plain(null, where)
    // What has a name has the place of its name already.
    if (!this.offsets.has(where)) this.offsets.set(where, node.range?.[0] ?? 0)
    if (depth > deepest) return this.#refuse(node, tooDeep)
    if (this.#expanding > 0 && ++this.#expanded > longestExpansion) {
      return this.#refuse(node, `aliases (*name) bring in more than ${longestExpansion} values`)
    }
    if (this.#yaml.isAlias(node)) return this.#aliased(node, where, depth)
    const { tag } = node
    if (tag === undefined || !tag.startsWith('!') || tag === '!') return this.#written(node, where, depth)
    if (!this.#tag) return this.#refuse(node, 'tags (!…) have no meaning here: write the plain value')
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
      } else {
        this.offsets.set(below(where, name), key.range?.[0] ?? 0)
        entries.set(name, this.read(value, below(where, name), depth + 1))
      }
    }
    return { kind: 'object', where, entries: new Map([...merged, ...entries]) }
  }

  *#merge(traced: Traced, key: Yaml.Node): Iterable<[string, Traced]> {
    if (traced.kind === 'object') yield* traced.entries
    else if (traced.kind === 'list') for (const item of traced.items) yield* this.#merge(item, key)
    else this.#refuse(key, 'a merge key (<<) is followed by an object, or a list of them')
  }

  #refuse(node: Yaml.Node, message: string): never {
    throw new NotYaml(message, node.range?.[0] ?? 0)
  }
}
