import type { CaseResult } from '../results.ts'
import { spreadOf } from '../spread.ts'
import { at, chart, label, rule } from './chart.ts'
import { html, type Markup } from './html.ts'
import type { Look } from './looks.ts'
import { whole } from './numbers.ts'
import { logarithmic, logarithmicTicks } from './scale.ts'

const left = 64
const top = 34
const width = 620
const height = 300
const right = 216
const bottom = 44

/** Below this share of calls the faster ones are all alike and only make the axis longer. */
const leastQuantile = 0.01
const nines = [0, 0.5, 0.9, 0.99, 0.999, 0.9999]
/** The top of the axis: the last of the nines has to be inside. */
const mostNines = 4

/** How far up a share of the calls is: each nine takes as much room as the one before, so that the tail can be read. */
const up = (quantile: number): number => Math.min(mostNines, Math.log10(1 / Math.max(1 - quantile, 10 ** -mostNines))) / mostNines * height

/** The latency at each quantile: the median of the rounds. */
const mediansOf = (distributions: readonly (readonly number[])[]): readonly number[] =>
  distributions[0]!.map((_, place) => spreadOf(distributions.map((distribution) => distribution[place]!)).median)

/** Draws which share of the calls was done within which time, a line for each arrangement. */
export const distributionChart = (result: CaseResult, quantiles: readonly number[], looks: ReadonlyMap<string, Look>): Markup => {
  const lines = result.measured.filter(({ rounds }) => rounds.length > 0).map(({ arrangement, rounds }) => ({
    look: looks.get(arrangement)!,
    points: mediansOf(rounds.map(({ distribution }) => distribution))
      .map((latency, place) => ({ latency, quantile: quantiles[place]! }))
      .filter(({ quantile }) => quantile >= leastQuantile && quantile < 1),
  })).filter(({ points }) => points.length > 0)
  const latencies = lines.flatMap(({ points }) => points.map(({ latency }) => latency)).filter((latency) => latency > 0)
  if (latencies.length === 0) return html`<p class="none">No call of this case was answered.</p>`
  const from = Math.min(...latencies) * 0.9
  const to = Math.max(...latencies) * 1.1
  const x = logarithmic(from, to, width)
  const floor = top + height
  const drawn = lines.map(({ look, points }) => html`<path class="line ${look.className}" stroke="${look.colour}" stroke-dasharray="${look.dash}" d="M${
    points.map(({ latency, quantile }) => `${at(left + x(latency))} ${at(floor - up(quantile))}`).join('L')}"><title>${look.arrangement.title}</title></path>`)
  return chart(`${result.title}: latency`, 'Share of calls by the time within which they were done', left + width + right, floor + bottom, [
    ...logarithmicTicks(from, to).map((tick) => [rule(left + x(tick), top, left + x(tick), floor), label(left + x(tick), floor + 18, whole(tick), 'small', 'middle')]),
    ...nines.map((nine) => [rule(left, floor - up(nine), left + width, floor - up(nine)), label(left - 8, floor - up(nine) + 4, `${Number((nine * 100).toFixed(2))} %`, 'small', 'end')]),
    label(left, top - 14, 'of the calls were done within … ms'),
    label(left + width, floor + 36, 'milliseconds, from when a call was due to the end of its answer', 'small', 'end'),
    ...drawn,
    ...lines.map(({ look }, row) => legend(look, top + 10 + row * 22)),
  ])
}

const legend = ({ arrangement, className, colour, dash }: Look, y: number): Markup => html`<g class="${className}"><path class="line" stroke="${colour}" stroke-dasharray="${dash}" d="M${
  left + width + 12} ${y}h22"/>${label(left + width + 40, y + 4, arrangement.title)}</g>`
