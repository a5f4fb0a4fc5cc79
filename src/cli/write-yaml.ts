import { isCollection, isMap, isPair, isScalar, isSeq, Document, visit, type Node, type YAMLMap } from 'yaml'
import type { MeshInput } from '../mesh/config.ts'

/** What is said above parts of a configuration. */
export interface Comments {
  readonly top: string
  readonly service: (name: string) => string
  readonly route: (service: string, route: string) => string
  readonly cluster: (name: string) => string
  readonly egress: string
}

const longestFlow = 100
/** A text on one line: names of files and resources are written by anybody. */
const oneLine = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' ')

const commentOf = (text: string): string => text.split('\n').map((line) => ` ${oneLine(line)}`).join('\n')

/** Texts as a file has them: there, `${` begins a variable unless it is doubled. */
const literally = (value: unknown): unknown => {
  if (typeof value === 'string') return value.replaceAll('${', () => '$${')
  if (Array.isArray(value)) return value.map(literally)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined).map(([name, inner]) => [name, literally(inner)]))
}

const isShort = (node: Node): boolean => {
  if (!isCollection(node) || node.items.length === 0) return false
  const scalars = node.items.every((item) => isPair(item) ? isScalar(item.value) : isScalar(item))
  return scalars && JSON.stringify(node.toJSON()).length <= longestFlow
}

const pairsOf = (node: unknown): YAMLMap['items'] => isMap(node) ? node.items : []

const nameOf = (key: unknown): string => String(isScalar(key) ? key.value : key)

/** Says something above each entry of a map, and parts it from the one before. */
const sayAbove = (map: unknown, comment: (name: string) => string): void => {
  pairsOf(map).forEach(({ key }, index) => {
    if (!isScalar(key)) return
    key.commentBefore = commentOf(comment(nameOf(key)))
    key.spaceBefore = index > 0
  })
}

/** Writes a configuration as YAML for people, with comments; `loadConfig` reads it back as it is. */
export const writeYaml = ({ services, clusters, ...rest }: MeshInput, comments: Comments): string => {
  const document = new Document(literally({ services, clusters, ...rest }), { aliasDuplicateObjects: false })
  visit(document, { Collection: (_, node) => { if (isShort(node)) node.flow = true } })
  document.commentBefore = commentOf(comments.top)
  const top = document.contents as unknown as YAMLMap
  top.items.forEach(({ key }, index) => { if (isScalar(key)) key.spaceBefore = index > 0 })
  sayAbove(top.get('services'), comments.service)
  sayAbove(top.get('clusters'), comments.cluster)
  for (const { key, value } of pairsOf(top.get('services'))) {
    const routes: unknown = isMap(value) ? value.get('routes') : undefined
    for (const route of isSeq(routes) ? routes.items : []) {
      if (isMap(route)) route.commentBefore = commentOf(comments.route(nameOf(key), String(route.get('name'))))
    }
  }
  const egress = top.items.find(({ key }) => nameOf(key) === 'egress')?.key
  if (isScalar(egress)) egress.commentBefore = commentOf(comments.egress)
  return document.toString({ lineWidth: 0, flowCollectionPadding: true })
}
