import type { Reply } from '../core/reply.ts'

/** What a server says of its load; `NaN` for what it leaves out. */
export interface LoadReport {
  /** Requests in flight. */
  readonly rif: number
  /** Milliseconds that an answer takes with so many of them. */
  readonly latency: number
  /** How busy it is, 1 for what it is meant to bear. */
  readonly utilization: number
  /** Answers per second. */
  readonly rps: number
  /** Of those, failures per second. */
  readonly eps: number
}

const header = 'endpoint-load-metrics'
/** A longer report is no report: it would cost more to read than it could save. */
const longest = 2_048

/** Reads the report that rides on a reply, in ORCA's text or JSON form; `undefined` where there is none that can be read. */
export const loadReport = ({ headers }: Pick<Reply, 'headers'>): LoadReport | undefined => {
  const report = headers[header]
  if (typeof report !== 'string' || report.length > longest) return undefined
  if (report.startsWith('TEXT ')) return reportOf((name) => textValue(report, name))
  if (report.startsWith('JSON ')) return jsonReport(report.slice(5))
  return undefined
}

const reportOf = (value: (name: string) => number): LoadReport => {
  const application = value('application_utilization')
  return {
    rif: value('named_metrics.rif'),
    latency: value('named_metrics.latency'),
    utilization: application > 0 ? application : value('cpu_utilization'),
    rps: value('rps_fractional'),
    eps: value('eps'),
  }
}

/** No endpoint has as many requests, nor takes as long: such a figure is a lie or a bug, and would outweigh all the others in a mean. */
const beyond = 1e9

const checked = (value: unknown): number => typeof value === 'number' && value >= 0 && value < beyond ? value : Number.NaN

/** The value of a name in `name=value,name=value`; `:` stands for `=` too. */
const textValue = (report: string, name: string): number => {
  for (let at = report.indexOf(name); at >= 0; at = report.indexOf(name, at + 1)) {
    const before = report[at - 1]
    const after = report[at + name.length]
    if ((before !== ',' && before !== ' ') || (after !== '=' && after !== ':')) continue
    const begin = at + name.length + 1
    const comma = report.indexOf(',', begin)
    const text = report.slice(begin, comma < 0 ? undefined : comma)
    return text.trim() === '' ? Number.NaN : checked(Number(text))
  }
  return Number.NaN
}

const jsonReport = (text: string): LoadReport | undefined => {
  let read: unknown
  try {
    read = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof read !== 'object' || read === null) return undefined
  const fields = read as Readonly<Record<string, unknown>>
  const named = fields['named_metrics']
  return reportOf((name) => {
    const [outer, inner] = name.split('.') as [string, string?]
    if (inner === undefined) return checked(fields[outer])
    return typeof named === 'object' && named !== null ? checked((named as Readonly<Record<string, unknown>>)[inner]) : Number.NaN
  })
}
