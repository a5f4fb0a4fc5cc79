import type { ArrangementInfo, CaseResult, Results, Round } from '../results.ts'
import { spreadOf } from '../spread.ts'
import { glance } from '../summary.ts'
import type { Table } from '../table.ts'
import { html, type Markup } from './html.ts'
import { shown } from './numbers.ts'

const roundsOf = (result: CaseResult, { id }: ArrangementInfo): readonly Round[] => result.measured.find(({ arrangement }) => arrangement === id)?.rounds ?? []

/** What one figure of an arrangement is of that of another, round by round. */
const ratio = (of: (round: Round) => number, ours: readonly Round[], theirs: readonly Round[]): string | undefined => {
  const pairs = ours.flatMap((round) => theirs.filter((other) => other.round === round.round).map((other) => of(other) / of(round))).filter(Number.isFinite)
  if (pairs.length === 0) return undefined
  const { median, min, max } = spreadOf(pairs)
  if (min <= 1 && max >= 1 && pairs.length > 1) return `a tie (${shown(min)}–${shown(max)} ×)`
  return pairs.length === 1 ? `${shown(median)} ×` : `${shown(median)} × (${shown(min)}–${shown(max)})`
}

const questions: readonly { readonly title: string, readonly unit: string, readonly of: (round: Round) => number }[] = [
  { title: 'CPU of a call, application and proxy together', unit: 'µs', of: ({ cpu }) => (cpu.application + cpu.proxy) * 1_000 },
  { title: 'half of the calls are done within', unit: 'ms', of: ({ latency }) => latency.p50 },
  { title: '99 of 100 calls are done within', unit: 'ms', of: ({ latency }) => latency.p99 },
  { title: 'memory of application and proxy together', unit: 'MiB', of: ({ memory }) => memory.application + memory.proxy },
]

const textTable = ([head, ...lines]: Table): Markup => html`<div class="wide"><table class="words"><thead><tr>${head!.map((title) => html`<th scope="col">${title}</th>`)}</tr></thead><tbody>${
  lines.map(([name, ...cells]) => html`<tr><th scope="row">${name}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody></table></div>`

/** The mesh's part of what a proxy takes, what each way adds, and each arrangement set against enmesh with the same client, in the first case of the run. */
export const headlines = (results: Results): Markup | undefined => {
  const { cases: [first], arrangements } = results
  if (!first) return undefined
  return html`${glance(results).map(([title, table]) => html`<h3>${title}</h3>${textTable(table)}`)}<h3>Each arrangement set against enmesh</h3>
<p>Case: ${first.title}. Each figure is set against that of enmesh with the same client, round by round: 2 × is twice of what enmesh takes.</p>
<div class="wide"><table><thead><tr><th scope="col">arrangement</th>${questions.map(({ title, unit }) => html`<th scope="col">${title}, ${unit}</th>`)}</tr></thead><tbody>${
    arrangements.map((arrangement) => line(arrangement, first, arrangements))}</tbody></table></div>`
}

const line = (arrangement: ArrangementInfo, result: CaseResult, all: readonly ArrangementInfo[]): Markup => {
  const rounds = roundsOf(result, arrangement)
  const name = html`<th scope="row">${arrangement.title}</th>`
  if (rounds.length === 0) return html`<tr>${name}<td class="none" colspan="${questions.length}">not run${arrangement.notRun === undefined ? '' : `: ${arrangement.notRun}`}</td></tr>`
  const enmesh = all.find(({ kind, client }) => kind === 'enmesh' && client === arrangement.client)
  const cells = questions.map(({ of }) => {
    const against = enmesh && enmesh !== arrangement ? ratio(of, roundsOf(result, enmesh), rounds) : undefined
    return html`<td>${shown(spreadOf(rounds.map(of)).median)}${against === undefined ? undefined : html`<small>${against}</small>`}</td>`
  })
  return html`<tr${arrangement.kind === 'enmesh' ? html` class="ours"` : undefined}>${name}${cells}</tr>`
}
