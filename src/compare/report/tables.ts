import { blame, recoveryOf, total } from '../faults/rounds.ts'
import type { ArrangementInfo, CaseResult, FaultResult, FaultRun, Round, Start } from '../results.ts'
import { lowest, spreadOf, type Spread } from '../spread.ts'
import { html, type Markup, type Part } from './html.ts'
import type { Look } from './looks.ts'
import { percent, range, shown, time, whole } from './numbers.ts'

/** A column of figures of which the lower one is the better, or the higher. */
interface Column<Of> {
  readonly title: string
  readonly of: (of: Of) => number
  readonly better?: 'lower' | 'higher'
}

const roundColumns: readonly Column<Round>[] = [
  { title: 'requests/s', of: ({ throughput }) => throughput, better: 'higher' },
  { title: 'p50 ms', of: ({ latency }) => latency.p50, better: 'lower' },
  { title: 'p90 ms', of: ({ latency }) => latency.p90, better: 'lower' },
  { title: 'p99 ms', of: ({ latency }) => latency.p99, better: 'lower' },
  { title: 'p99.9 ms', of: ({ latency }) => latency.p999, better: 'lower' },
  { title: 'CPU application, µs/request', of: ({ cpu }) => cpu.application * 1_000 },
  { title: 'CPU proxy, µs/request', of: ({ cpu }) => cpu.proxy * 1_000 },
  { title: 'CPU together', of: ({ cpu }) => (cpu.application + cpu.proxy) * 1_000, better: 'lower' },
  { title: 'memory application, MiB', of: ({ memory }) => memory.application },
  { title: 'memory proxy, MiB', of: ({ memory }) => memory.proxy },
  { title: 'sockets application', of: ({ sockets }) => sockets.application },
  { title: 'sockets proxy', of: ({ sockets }) => sockets.proxy },
  { title: 'failed', of: ({ failed }) => failed },
]

/** A row with its name and how it looks. */
const row = ({ arrangement, className, colour }: Look, cells: Part): Markup =>
  html`<tr class="${className}"><th scope="row"><i style="background:${colour}"></i>${arrangement.title}</th>${cells}</tr>`

const headed = (titles: readonly string[], rows: readonly Markup[]): Markup => html`<div class="wide"><table><thead><tr><th scope="col">arrangement</th>${
  titles.map((title) => html`<th scope="col">${title}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div>`

const cell = (spread: Spread, best: boolean): Markup => {
  const [figure, around] = [shown(spread.median), range(spread)]
  return html`<td${best ? html` class="best"` : undefined}>${figure}${around ? html`<small>${around}</small>` : undefined}</td>`
}

const notRun = ({ notRun: why }: ArrangementInfo, columns: number): Markup => html`<td class="none" colspan="${columns}">not run${why === undefined ? '' : `: ${why}`}</td>`

/** The figures of a case: medians, ranges below them; bold is what nothing beats, ties included. */
export const caseTable = (result: CaseResult, looks: readonly Look[]): Markup => {
  const measured = new Map(result.measured.filter(({ rounds }) => rounds.length > 0).map(({ arrangement, rounds }) => [arrangement, rounds]))
  const ids = [...measured.keys()]
  const single = [...measured.values()].every(({ length }) => length < 2)
  const cells = roundColumns.map(({ of, better }) => {
    const spreads = ids.map((id) => spreadOf(measured.get(id)!.map(of)))
    // Of one round nobody knows the spread, so nothing is said to be best.
    const best = better === undefined || single ? [] : lowest(better === 'lower' ? spreads : spreads.map(({ median, min, max }) => ({ median: -median, min: -max, max: -min })))
    return new Map(ids.map((id, place) => [id, cell(spreads[place]!, best[place] ?? false)]))
  })
  return headed(roundColumns.map(({ title }) => title), looks.map((look) => row(look,
    measured.has(look.arrangement.id) ? cells.map((column) => column.get(look.arrangement.id)) : notRun(look.arrangement, roundColumns.length))))
}

/** Start-up and memory at rest. */
export const startTable = (starts: readonly Start[], looks: readonly Look[]): Markup =>
  headed(['application, ms', 'proxy, ms', 'memory at rest: application, MiB', 'proxy, MiB'], looks.map((look) => {
    const start = starts.find(({ arrangement }) => arrangement === look.arrangement.id)
    if (!start || start.milliseconds.length === 0) return row(look, notRun(look.arrangement, 4))
    return row(look, [
      cell(spreadOf(start.milliseconds.map(({ application }) => application)), false),
      cell(spreadOf(start.milliseconds.map(({ proxy }) => proxy)), false),
      cell(spreadOf(start.idleMemory.map(({ application }) => application)), false),
      cell(spreadOf(start.idleMemory.map(({ proxy }) => proxy)), false),
    ])
  }))

const blamed = (runs: readonly FaultRun[]): string => blame(runs).map(([who, count]) => `${who} × ${count}`).join(', ')

const recovery = (runs: readonly FaultRun[]): string => {
  const spread = recoveryOf(runs)
  if (!spread) return 'not within the run'
  const { median, min, max } = spread
  return min === max ? time(median) : `${time(median)} (${time(min)}–${time(max)})`
}

const faultTitles = ['requests', 'failed', 'wrong version', 'p99 before, ms', 'p99 during, ms', 'p99 after, ms', 'recovered after', 'attempts per request', 'blamed by the caller', 'not the service', 'said against what was pushed']

/** The figures of a fault; counts are of all rounds together. */
export const faultTable = (fault: FaultResult, looks: readonly Look[]): Markup => headed(faultTitles, looks.map((look) => {
  const runs = fault.runs.filter(({ arrangement }) => arrangement === look.arrangement.id)
  if (runs.length === 0) return row(look, notRun(look.arrangement, faultTitles.length))
  const requests = total(runs, (run) => run.requests)
  const failed = total(runs, (run) => run.failed)
  const wrong = total(runs, ({ wrongVersion }) => wrongVersion)
  return row(look, html`<td>${whole(requests)}</td><td${failed > 0 ? html` class="lost"` : undefined}>${failed}<small>${percent(failed, requests)}</small></td><td>${wrong}</td>${
    (['before', 'during', 'after'] as const).map((when) => cell(spreadOf(runs.map(({ p99 }) => p99[when])), false))}<td>${recovery(runs)}</td>${
    cell(spreadOf(runs.map(({ attemptsPerRequest }) => attemptsPerRequest)), false)}<td class="text">${blamed(runs)}</td><td>${total(runs, ({ misattributed }) => misattributed)}</td><td class="text">${runs.find(({ refusal }) => refusal !== undefined)?.refusal}</td>`)
}))

/** Which arrangement lost which part of its calls in which fault, at a glance. */
export const lossTable = (faults: readonly FaultResult[], looks: readonly Look[]): Markup => headed(faults.map(({ title }) => title), looks.map((look) => {
  if (look.arrangement.notRun !== undefined) return row(look, notRun(look.arrangement, faults.length))
  return row(look, faults.map((fault) => {
    const runs = fault.runs.filter(({ arrangement }) => arrangement === look.arrangement.id)
    if (runs.length === 0) return html`<td class="none">not run</td>`
    const requests = total(runs, (run) => run.requests)
    const lost = total(runs, ({ failed, wrongVersion }) => failed + wrongVersion)
    return html`<td style="background:color-mix(in srgb, var(--bad) ${heat(lost / requests)}%, transparent)">${percent(lost, requests)}</td>`
  }))
}))

/** From a share to how deep its cell is coloured, in percent: a thousandth has to be seen, and all must not hide the text. */
const heat = (share: number): number => share === 0 ? 0 : Math.round(12 + 48 * Math.min(1, Math.max(0, 1 + Math.log10(share) / 3)))
