import type * as Yaml from 'yaml'
import type { Alias, ErrorCode, Node, ParsedNode, Scalar } from 'yaml'
import { deepest, refuseTwins, Unreadable, type Entry, type Piece } from './piece.ts'

/** How many values aliases may bring in: more than a configuration needs, less than what stops a process. */
const longestExpansion = 10_000

const tooDeep = `is nested more than ${deepest} levels deep`

const words: Partial<Record<ErrorCode, string>> = {
  BAD_DQ_ESCAPE: 'YAML does not know this escape: in double quotes write \\\\ for a backslash, or use single quotes',
  BAD_INDENT: 'is indented in a way that YAML cannot read, or a bracket before it is not closed',
  BAD_SCALAR_START: 'begins with a character that YAML keeps for itself: put the text in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a value cannot stand on several lines, or hold another name, here: put text with ": " in quotes',
  MISSING_CHAR: 'a quote, bracket, comma or colon is missing here',
  MULTIPLE_DOCS: 'the file holds several documents: a configuration is one',
  MULTILINE_IMPLICIT_KEY: 'a name stands on one line and is followed by a colon',
  NON_STRING_KEY: 'a name is plain text, not a list or an object',
  TAB_AS_INDENT: 'a tab stands where YAML wants spaces',
  TAG_RESOLVE_FAILED: 'tags (!…) have no meaning here: write the plain value',
  UNEXPECTED_TOKEN: 'YAML expects something else here: text with special characters needs quotes, as "${NAME}" does within { } and [ ]',
}

/** What is wrong with a text that is no YAML; nothing of the text is quoted. */
export const wordsFor = ({ code, pos: [at] }: Yaml.YAMLError, source: string): string => {
  // In a list in [ ] the text ends before the bracket, and YAML asks for a comma where quotes are meant.
  if (code === 'MISSING_CHAR' && source.startsWith('${', at - 1)) return 'a variable within [ ] needs quotes, as in ["${NAME}"]'
  return words[code] ?? `is not YAML (${code})`
}

/**
 * Reads one YAML 1.2 document with places. Names are always texts. Throws `Unreadable` for whatever is not one, for names that are
 * there twice, for tags, and for aliases that refer to themselves or grow beyond bounds.
 */
export const readYaml = async (source: string): Promise<Piece> => {
  // Loaded when first needed: who configures in code, or in JSON, never pays for it.
  const yaml = await import('yaml')
  const document = yaml.parseDocument(source, { prettyErrors: false, stringKeys: true, uniqueKeys: false })
  const [fault] = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0])
  // Where the stack was full depends on who called, and says nothing of the file.
  if (fault?.code === 'RESOURCE_EXHAUSTION') throw new Unreadable(tooDeep, 0)
  // Its own message may quote the file.
  if (fault) throw new Unreadable(wordsFor(fault, source), fault.pos[0])
  // In YAML 1.1 `yes` is a boolean and 010 is eight.
  if (document.directives.yaml.version !== '1.2') throw new Unreadable('the file says %YAML, and not 1.2: leave that line out', 0)
  return new Reader(yaml).read(document.contents, 0)
}

/** Turns nodes into pieces, each alias into a piece of its own. */
class Reader {
  readonly #yaml: typeof Yaml
  readonly #anchors = new Map<string, Node>()
  readonly #targets = new Map<Node, Node>()
  readonly #open = new Set<Node>()
  #expanding = 0
  #expanded = 0

  constructor(yaml: typeof Yaml) {
    this.#yaml = yaml
  }

  /** Reads a node; `at` is its place where nothing is written. */
  read(node: Node | null, at: number): Piece {
    if (node === null) return { kind: 'plain', at, value: undefined }
    const start = (node as ParsedNode).range[0]
    if (this.#open.size > deepest) throw new Unreadable(tooDeep, start)
    if (this.#expanding > 0 && ++this.#expanded > longestExpansion) {
      throw new Unreadable(`aliases (*name) bring in more than ${longestExpansion} values`, start)
    }
    if (this.#yaml.isAlias(node)) return this.#aliased(node, start)
    if (node.anchor !== undefined && this.#expanding === 0) this.#anchors.set(node.anchor, node)
    this.#open.add(node)
    const piece = this.#written(node, start)
    this.#open.delete(node)
    return piece
  }

  #aliased(alias: Alias, at: number): Piece {
    // Settled when it is first met: a later anchor of the same name is another one.
    const target = this.#targets.get(alias) ?? this.#anchors.get(alias.source)
    if (!target) throw new Unreadable('this alias (*name) has no anchor (&name) before it', at)
    if (this.#open.has(target)) throw new Unreadable('this alias (*name) refers to what it stands in', at)
    this.#targets.set(alias, target)
    this.#expanding++
    const piece = this.read(target, at)
    this.#expanding--
    return piece
  }

  #written(node: Exclude<Node, Alias>, at: number): Piece {
    const { isMap, isSeq } = this.#yaml
    if (isMap<Scalar<string>, Node | null>(node)) {
      return { kind: 'object', at, entries: refuseTwins(node.items.map(({ key, value }) => this.#entry(key, value))) }
    }
    if (isSeq<Node>(node)) return { kind: 'list', at, items: node.items.map((item) => this.read(item, at)) }
    return { kind: 'plain', at, value: (node as Scalar).value }
  }

  #entry(key: Scalar<string>, value: Node | null): Entry {
    const at = key.range![0]
    // YAML 1.2 has none, so it would be a name like any other.
    if (key.value === '<<') throw new Unreadable('merge keys (<<) are not supported: write the names out', at)
    return { name: key.value, at, value: value === null ? { kind: 'plain', at, value: null } : this.read(value, at) }
  }
}
