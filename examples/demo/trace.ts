import type { SpanRecord } from './collector.ts'
import { percentile } from './figures.ts'

/** A span with those under it, in the order they began. */
export interface Node {
  readonly span: SpanRecord
  readonly children: readonly Node[]
}

const grouped = (spans: readonly SpanRecord[], keyOf: (span: SpanRecord) => string): ReadonlyMap<string, readonly SpanRecord[]> => {
  const groups = new Map<string, SpanRecord[]>()
  for (const span of spans) {
    const group = groups.get(keyOf(span))
    if (group) group.push(span)
    else groups.set(keyOf(span), [span])
  }
  return groups
}

const took = ({ start, end }: SpanRecord): number => end - start

/**
 * The tree of one trace; `undefined` while its first span, or any span's parent, has not arrived. The first attempt of a call that
 * was tried again stands beside the call's span, since nobody knew of it yet; the call names it, so it is drawn below.
 */
export const treeOf = (spans: readonly SpanRecord[]): Node | undefined => {
  const ids = new Set(spans.map(({ id }) => id))
  const callOf = new Map(spans.flatMap(({ id, links }) => links.map((linked) => [linked, id] as const)))
  const parentOf = ({ id, parent }: SpanRecord): string => callOf.get(id) ?? parent
  const children = grouped(spans, parentOf)
  const [root, ...others] = spans.filter((span) => !ids.has(parentOf(span)))
  if (!root || others.length > 0 || root.parent !== '') return undefined
  const under = (span: SpanRecord): Node =>
    ({ span, children: [...children.get(span.id) ?? []].sort((a, b) => a.start - b.start).map(under) })
  return under(root)
}

/** Milliseconds of a span during which none of those under it ran: what it took by itself. */
export const ownTime = ({ span, children }: Node): number => {
  let own = took(span)
  let covered = span.start
  for (const { span: { start, end } } of children) {
    const from = Math.max(covered, start)
    const until = Math.min(end, span.end)
    if (until > from) own -= until - from
    covered = Math.max(covered, until)
  }
  return own
}

/** The service that a process is an instance of: `order` of `order-2`. */
const serviceOf = ({ service }: SpanRecord): string => service.replace(/-.*/, '')

const flat = (node: Node): readonly Node[] => [node, ...node.children.flatMap(flat)]

/** The services whose work a trace shows. */
export const servicesOf = (root: Node): ReadonlySet<string> =>
  new Set(flat(root).filter(({ span }) => span.kind === 'server').map(({ span }) => serviceOf(span)))

/** Whether any of its calls was tried again. */
export const retried = (root: Node): boolean => flat(root).some(({ span }) => Number(span.attributes['http.request.resend_count'] ?? 0) > 0)

/** Of all traces, one that goes through the most services, retried if there is such a one, and the latest of those. */
export const tellingTrace = (spans: readonly SpanRecord[]): Node | undefined => {
  const traces = grouped(spans, ({ trace }) => trace)
  const worth = (root: Node): number => servicesOf(root).size * 10 + Number(retried(root) && !root.span.failed) * 5
  let best: Node | undefined
  for (const members of traces.values()) {
    const root = treeOf(members)
    if (root && (!best || worth(root) >= worth(best))) best = root
  }
  return best
}

const wide = 24

/** A bar where a span lay within the whole. */
const barOf = (span: SpanRecord, whole: SpanRecord): string => {
  const scale = wide / Math.max(took(whole), 1e-3)
  const from = Math.max(0, Math.min(wide - 1, Math.floor((span.start - whole.start) * scale)))
  const length = Math.max(1, Math.min(wide - from, Math.round(took(span) * scale)))
  return `${' '.repeat(from)}${'█'.repeat(length)}`.padEnd(wide)
}

const label = ({ span: { kind, service, name, attributes } }: Node): string => {
  const status = attributes['http.response.status_code'] ?? attributes['error.type'] ?? ''
  if (kind === 'server') return `${service}: ${name} ${status}`
  if (kind === 'internal') return `${name}, tried ${attributes['enmesh.attempts']} times`
  const why = attributes['enmesh.attempt.reason']
  return `→ ${attributes['server.address']} ${status}${why === undefined ? '' : ` (${why})`}`
}

const ms = (value: number): string => `${value.toFixed(1)} ms`

/** What a span's own time was spent on: a service's on its own work, an attempt's on the way there and back. */
const spentOn: Readonly<Record<SpanRecord['kind'], string>> = {
  server: 'in the service', client: 'in the network', internal: 'waiting', other: 'by itself',
}

interface Row { readonly text: string, readonly node: Node }

const rows = (node: Node, first = '', rest = ''): readonly Row[] => [
  { text: `${first}${label(node)}`, node },
  ...node.children.flatMap((child, index) =>
    index < node.children.length - 1 ? rows(child, `${rest}├─ `, `${rest}│  `) : rows(child, `${rest}└─ `, `${rest}   `)),
]

/** A trace as lines of text: who called whom, when within the whole, and where the time went. */
export const drawTrace = (root: Node): readonly string[] => {
  const all = rows(root)
  const column = Math.max(...all.map(({ text }) => text.length))
  return all.map(({ text, node }) =>
    `${text.padEnd(column)}  ${barOf(node.span, root.span)}  ${ms(took(node.span)).padStart(9)}   ${ms(ownTime(node)).padStart(9)} ${spentOn[node.span.kind]}`)
}

/** Times of each service, by its SERVER spans, and of the way to it, by the CLIENT spans above them. */
export interface ServiceTimes { readonly service: string, readonly count: number, readonly p50: number, readonly p99: number, readonly network: number }

/** What the spans say of each service, by name: the instances of one are taken together. Milliseconds. */
export const serviceTimes = (spans: readonly SpanRecord[]): readonly ServiceTimes[] => {
  const clients = new Map(spans.filter(({ kind }) => kind === 'client').map((span) => [span.id, span]))
  const groups = grouped(spans.filter(({ kind }) => kind === 'server'), serviceOf)
  return [...groups].sort(([a], [b]) => a.localeCompare(b)).map(([service, members]) => {
    const times = members.map(took)
    const ways = members.flatMap((span) => {
      const client = clients.get(span.parent)
      return client ? [took(client) - took(span)] : []
    })
    return { service, count: members.length, p50: percentile(times, 50), p99: percentile(times, 99), network: percentile(ways, 50) }
  })
}
