import type { Fault, Position, ReadOptions, Source } from '../../found.ts'
import { giveParameter } from '../left-open.ts'
import { below, fieldOf, naming, textOf, written, type Traced, type TracedObject } from '../../body/traced.ts'
import { positionIn, positionsOf, type Positions } from '../../body/positions.ts'
import { faultOf } from '../../body/body.ts'
import { NotYaml, readDocuments, type YamlDocument } from '../../body/yaml-source.ts'

/** One object of a cluster, as a manifest declares it. */
export interface Manifest {
  readonly file: string
  /** How messages call it: `VirtualNode shop/pricing`. */
  readonly resource: string
  /** `appmesh.k8s.aws/v1beta2`, `v1`, … */
  readonly version: string
  readonly kind: string
  readonly name: string
  /** `default` where the manifest says none, as for kubectl. */
  readonly namespace: string
  readonly labels: ReadonlyMap<string, string>
  readonly top: TracedObject
  readonly position: Positions
}

export const group = 'appmesh.k8s.aws/'

/** Kinds that stand in no namespace. */
const clusterWide = new Set(['Mesh', 'Namespace'])

const looksLikeManifest = (text: string): boolean => /\bapiVersion["']?\s*:/.test(text) && /\bkind["']?\s*:/.test(text)

const placeholder = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\{\{-?\s*\.?([A-Za-z_][A-Za-z0-9_.]*)\s*-?\}\}/g

/** Stands in the text for a placeholder without a value, so that the rest can be read as YAML. */
const open = (index: number): string => `enmesh-open-${index}-`
const opened = /enmesh-open-(\d+)-/g

/** A source whose placeholders were replaced, as envsubst and the like do it: in the text, before it is YAML. */
interface Filled {
  readonly text: string
  /** The offset in the text as it was written. */
  readonly originally: (at: number) => number
  /** The placeholders that nobody gave a value, as they were written. */
  readonly open: readonly { readonly written: string, readonly name: string }[]
}

const fill = (text: string, parameters: Readonly<Record<string, string>>): Filled => {
  const left: { written: string, name: string }[] = []
  // Where a value begins and ends after the filling in, and where the text goes on in what was written.
  const filled: { begin: number, end: number, from: number, on: number }[] = []
  let grown = 0
  const whole = text.replace(placeholder, (found: string, shell: string | undefined, template: string | undefined, at: number) => {
    const name = shell ?? template!
    const value = Object.hasOwn(parameters, name) ? parameters[name]! : open(left.push({ written: found, name }) - 1)
    filled.push({ begin: at + grown, end: at + grown + value.length, from: at, on: at + found.length })
    grown += value.length - found.length
    return value
  })
  const originally = (at: number): number => {
    const before = filled.findLast(({ begin }) => begin <= at)
    if (!before) return at
    return at < before.end ? before.from : before.on + at - before.end
  }
  return { text: whole, open: left, originally }
}

/**
 * Reads the manifests of a source, those in lists each by itself. `undefined` where the source holds none. Placeholders,
 * `${NAME}` and `{{ .NAME }}`, get their values from the parameters; only those within App Mesh's own objects need one.
 */
export const manifestsIn = async (
  source: Source, options: ReadOptions, tell: (fault: Fault) => void,
): Promise<readonly Manifest[] | undefined> => {
  if (!looksLikeManifest(source.text)) return undefined
  const filled = fill(source.text, options.parameters ?? {})
  const positionAt = positionIn(source)
  try {
    const documents = await readDocuments({ file: source.file, text: filled.text })
    if (!documents.some(({ root }) => isManifest(root))) return undefined
    const around: Around = { file: source.file, filled, tell, position: (at) => positionAt(filled.originally(at)) }
    return documents.flatMap((document) => manifestsOf(document, around))
  } catch (error) {
    if (!(error instanceof NotYaml)) throw error
    tell({
      severity: 'error', file: source.file, ...positionAt(filled.originally(error.at)), message: `is no manifest that can be read: ${error.message}`,
    })
    return []
  }
}

const isManifest = (root: Traced): boolean =>
  textOf(fieldOf(root, 'apiVersion')) !== undefined && textOf(fieldOf(root, 'kind')) !== undefined

/** What a document stands in. */
interface Around {
  readonly file: string
  readonly filled: Filled
  readonly position: (at: number) => Position
  readonly tell: (fault: Fault) => void
}

const manifestsOf = ({ root, offsets }: YamlDocument, { file, filled, position, tell }: Around): readonly Manifest[] => {
  const positions = positionsOf(offsets, position)
  return [...objects(root)].flatMap((object) => {
    if (object.kind === 'plain' && object.value === null) return []
    if (!isManifest(object)) {
      const severity = textOf(fieldOf(object, 'apiVersion'))?.startsWith(group) === true ? 'error' : 'warning'
      tell({ severity, file, ...positions(object.where), message: 'this document is no manifest, which has `apiVersion` and `kind`: it is left out' })
    }
    return object.kind === 'object' ? manifestOf(object, { file, position: positions }, filled, tell) : []
  })
}

/** The objects of a document: itself, or the items where it is a list. */
function* objects(document: Traced): Iterable<Traced> {
  const items = fieldOf(document, 'items')
  if (textOf(fieldOf(document, 'kind'))?.endsWith('List') === true && items?.kind === 'list') for (const item of items.items) yield* objects(item)
  else yield document
}

const manifestOf = (
  written: TracedObject, { file, position }: Pick<Manifest, 'file' | 'position'>, filled: Filled, tell: (fault: Fault) => void,
): readonly Manifest[] => {
  const version = textOf(fieldOf(written, 'apiVersion')) ?? ''
  const kind = textOf(fieldOf(written, 'kind'))
  if (kind === undefined || (!version.startsWith(group) && kind !== 'Namespace')) return []
  const told = new Set<string>()
  const subject = `${kind} ${restore(textOf(fieldOf(fieldOf(written, 'metadata'), 'name')) ?? '', filled)}`
  const top = closed(written, filled, (name, place, path) => {
    if (kind === 'Namespace' || told.has(name)) return
    told.add(name)
    const message = `has ${place}, and no value for it was given: ${giveParameter(name)}`
    tell(faultOf({ file, resource: subject, position }, 'error', path, message))
  }) as TracedObject
  const metadata = fieldOf(top, 'metadata')
  const name = textOf(fieldOf(metadata, 'name'))
  if (name === undefined) {
    if (version.startsWith(group)) {
      tell(faultOf({ file, resource: kind, position }, 'error', below(top.where, 'metadata'), 'has no name that is a text: write metadata.name'))
    }
    return []
  }
  const namespace = clusterWide.has(kind) ? '' : textOf(fieldOf(metadata, 'namespace')) ?? 'default'
  const resource = namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`
  return [{ file, resource, version, kind, name, namespace, labels: labelsOf(fieldOf(metadata, 'labels')), top, position }]
}

const restore = (text: string, filled: Filled): string => text.replace(opened, (_, index: string) => filled.open[Number(index)]!.written)

/** Puts the placeholders without a value back into texts; a value that is nothing else cannot be told. */
const closed = (traced: Traced, filled: Filled, missing: (name: string, written: string, where: string) => void): Traced => {
  if (filled.open.length === 0) return traced
  if (traced.kind === 'list') return { ...traced, items: traced.items.map((item) => closed(item, filled, missing)) }
  if (traced.kind === 'object') {
    return { ...traced, entries: new Map([...traced.entries].map(([name, value]) => [restore(name, filled), closed(value, filled, missing)])) }
  }
  if (traced.kind !== 'plain' || typeof traced.value !== 'string') return traced
  const all = [...traced.value.matchAll(opened)]
  for (const [, index] of all) missing(filled.open[Number(index)]!.name, filled.open[Number(index)]!.written, traced.where)
  if (all.length === 0) return traced
  const alone = all.length === 1 && all[0]![0] === traced.value && !/^(?:items\[\d+\]\.)*metadata\./.test(traced.where)
  return alone ? { kind: 'unread', where: traced.where } : { ...traced, value: restore(traced.value, filled) }
}

const labelsOf = (labels: Traced | undefined): ReadonlyMap<string, string> => {
  if (labels?.kind !== 'object') return new Map()
  return new Map([...labels.entries].flatMap(([name, value]) => value.kind === 'plain' ? [[name, written(value)]] : []))
}

/**
 * Whether a label selector of Kubernetes selects what has these labels. An empty one selects everything, none selects nothing.
 */
export const selects = (selector: Traced | undefined, labels: ReadonlyMap<string, string>): boolean => {
  if (selector?.kind !== 'object') return false
  const wanted = labelsOf(fieldOf(selector, 'matchLabels'))
  const expressions = fieldOf(selector, 'matchExpressions')
  return [...wanted].every(([name, value]) => labels.get(name) === value) &&
    (expressions?.kind !== 'list' || expressions.items.every((expression) => holds(expression, labels)))
}

const holds = (expression: Traced, labels: ReadonlyMap<string, string>): boolean => {
  const label = labels.get(textOf(fieldOf(expression, 'key')) ?? '')
  const values = fieldOf(expression, 'values')
  const among = values?.kind === 'list' && values.items.some((value) => value.kind === 'plain' && written(value) === label)
  switch (textOf(fieldOf(expression, 'operator'))) {
    case 'In': return among
    case 'NotIn': return !among
    case 'Exists': return label !== undefined
    case 'DoesNotExist': return label === undefined
    default: return false
  }
}

/** Reads `{ name, namespace? }`; a fault where it is anything else. */
export const referenceIn = (
  reference: Traced, fail: (where: string, message: string) => void,
): { name: string, namespace: string | undefined } | undefined => {
  if (reference.kind === 'unread') return undefined
  const name = fieldOf(reference, 'name')
  if (textOf(name) !== undefined) return { name: textOf(name)!, namespace: textOf(fieldOf(reference, 'namespace')) }
  if (name?.kind !== 'unread') fail(reference.where, `is ${reference.kind === 'object' ? 'a reference without a name' : naming(reference)}: write { name: …, namespace: … }`)
  return undefined
}
