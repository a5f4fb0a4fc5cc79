import type { ArrangementInfo, Both, CaseResult, Results, Round, Start } from './results.ts'
import { spreadOf, type Spread } from './spread.ts'
import type { Table } from './table.ts'

/** A figure of each round in which it was measured, by the round's number: what is compared was measured in the same round, where both were disturbed alike. */
type ByRound = ReadonlyMap<number, number>

/** Something that a way costs. */
interface Cost {
  readonly title: string
  readonly unit: string
  readonly digits: number
  readonly of: (arrangement: ArrangementInfo) => ByRound
}

interface Costs {
  readonly cpu: Cost
  readonly latency: Cost
  readonly rest: Cost
  readonly load: Cost
  readonly start: Cost
}

const total = ({ application, proxy }: Both): number => application + proxy

const inCase = (result: CaseResult | undefined, of: (round: Round) => number): Cost['of'] => ({ id }) =>
  new Map((result?.measured.find(({ arrangement }) => arrangement === id)?.rounds ?? []).map((round) => [round.round, of(round)]))

const atStart = (starts: readonly Start[], of: (start: Start) => readonly Both[]): Cost['of'] => ({ id }) => {
  const start = starts.find(({ arrangement }) => arrangement === id)
  return new Map((start ? of(start) : []).map((both, index) => [index + 1, total(both)]))
}

const costsOf = ({ cases, starts }: Results): Costs => {
  const ofClient = cases.filter(({ subject, measured }) => subject === 'client' && measured.length > 0)
  const [base] = ofClient
  const single = ofClient.find(({ inFlight }) => inFlight === 1)
  return {
    cpu: { title: `CPU of a call${base ? ` (${base.title})` : ''}`, unit: 'µs', digits: 1, of: inCase(base, ({ cpu }) => total(cpu) * 1_000) },
    latency: { title: 'p50 at 1 in flight', unit: 'µs', digits: 0, of: inCase(single, ({ latency }) => latency.p50 * 1_000) },
    rest: { title: 'memory at rest', unit: 'MiB', digits: 1, of: atStart(starts, ({ idleMemory }) => idleMemory) },
    load: { title: 'memory under load', unit: 'MiB', digits: 0, of: inCase(base, ({ memory }) => total(memory)) },
    start: { title: 'time to the first answer', unit: 'ms', digits: 0, of: atStart(starts, ({ milliseconds }) => milliseconds) },
  }
}

/** Two figures of the same rounds made one. */
const paired = (ours: ByRound, theirs: ByRound, of: (our: number, their: number) => number): ByRound =>
  new Map([...ours].flatMap(([round, our]) => theirs.has(round) ? [[round, of(our, theirs.get(round)!)] as const] : []))

/** The same client without anything: what others add to. */
const aloneOf = ({ arrangements }: Results, { client }: ArrangementInfo): ArrangementInfo | undefined =>
  arrangements.find((each) => each.kind === 'direct' && each.client === client)

const addedBy = (results: Results, arrangement: ArrangementInfo, { of }: Cost): ByRound => {
  const alone = aloneOf(results, arrangement)
  return alone ? paired(of(arrangement), of(alone), (our, their) => our - their) : new Map()
}

const written = (value: number, digits: number): string => value.toFixed(digits).replace(/^-(?=0(\.0*)?$)/, '').replace('-', '−')

const withRange = ({ median, min, max }: Spread, digits: number, unit: string): string => {
  const [low, high] = [written(min, digits), written(max, digits)]
  return `${written(median, digits)}${unit}${low === high ? '' : ` (${low}${min < 0 ? ' to ' : '–'}${high})`}`
}

const spread = (figures: ByRound): Spread => spreadOf([...figures.values()])
const onBothSides = ({ min, max }: Spread, of: number): boolean => min <= of && max >= of && min < max

/** What an arrangement adds to its client alone, in words. */
const addition = (added: ByRound, { digits, unit }: Cost): string => {
  const around = spread(added)
  return `${withRange(around, digits, ` ${unit}`)}${onBothSides(around, 0) ? ', a tie with the client alone' : ''}`
}

/** How one thing compares with another, round by round. */
const ratio = (ours: ByRound, theirs: ByRound): string => {
  const around = spread(paired(ours, theirs, (our, their) => our / their))
  return `${withRange(around, 2, ' ×')}${onBothSides(around, 1) ? ', a tie' : ''}`
}

/** What we add as a part of what they add; there is no such part of nothing. */
const part = (ours: ByRound, theirs: ByRound, cost: Cost): string => {
  const both = `${addition(ours, cost)}; the proxy: ${addition(theirs, cost)}`
  if (spread(ours).median <= 0) return `adds nothing: ${both}`
  if (spread(theirs).min <= 0) return `no ratio, since the proxy adds nothing in some round: ${both}`
  return `${ratio(ours, theirs)}: ${both}`
}

const call = ({ kind, client }: ArrangementInfo): string => kind !== 'enmesh' ? client : client === 'fetch' ? 'mesh.fetch' : 'undici.request with mesh.dispatcher'

const hasBoth = (ours: ByRound, theirs: ByRound): boolean => paired(ours, theirs, () => 0).size > 0

/** What is asked most of a mesh in the process: its part of what a sidecar takes, HAProxy's by default. A head and a line for each question that the run can answer. */
export const answers = (results: Results, family = 'haproxy', title = 'HAProxy'): Table => {
  const { cpu, latency, rest, load } = costsOf(results)
  const ours = results.arrangements.filter(({ kind }) => kind === 'enmesh')
  const theirs = results.arrangements.filter(({ id, kind }) => kind === 'sidecar' && id.startsWith(`${family}-`))
  const lines = [
    ...ours.flatMap((our) => theirs.filter(({ client }) => our.client === 'fetch' || client === our.client).map((their) =>
      [`${cpu.title}: ${call(our)}, of ${call(their)} through ${title}`, cpu.of(our), cpu.of(their), ratio] as const)),
    ...[latency, rest, load].flatMap((cost) => ours.flatMap((our) => theirs.filter(({ client }) => client === our.client).map((their) =>
      [`${cost.title}: ${call(our)} adds to ${call(their)} alone, of what ${title} adds`, addedBy(results, our, cost), addedBy(results, their, cost),
        (our: ByRound, their: ByRound) => part(our, their, cost)] as const))),
  ]
  return [['set against each other in each round', 'median (range)'], ...lines.filter(([, our, their]) => hasBoth(our, their)).map(([question, our, their, say]) => [question, say(our, their)])]
}

/** What each way adds to the same client alone, application and proxy together: a head and a line for each arrangement that was run. */
export const addedTable = (results: Results): Table => {
  const costs = Object.values(costsOf(results)) as readonly Cost[]
  const lines = results.arrangements.filter(({ kind }) => kind !== 'direct').map((arrangement) => [arrangement.title, ...costs.map((cost) => {
    const added = addedBy(results, arrangement, cost)
    if (added.size === 0) return '–'
    const around = spread(added)
    return `${around.median > 0 ? '+' : ''}${withRange(around, cost.digits, '')}${onBothSides(around, 0) ? ', a tie' : ''}`
  })])
  return [['arrangement', ...costs.map(({ title, unit }) => `${title}, ${unit}`)], ...lines.filter(([, ...cells]) => cells.some((cell) => cell !== '–'))]
}
