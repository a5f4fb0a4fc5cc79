import { spreadOf, type Spread } from '../spread.ts'
import type { Both } from '../results.ts'
import { at, chart, label, rule } from './chart.ts'
import { html, type Markup } from './html.ts'
import type { Look } from './looks.ts'
import { range, shown, whole } from './numbers.ts'
import { linear, linearTicks } from './scale.ts'

const left = 236
const plot = 494
const right = 170
const top = 30
const rowHeight = 30
const thickness = 18

/** A bar: what the application and the proxy took in each round, or why there is none. */
export interface Bar {
  readonly look: Look
  readonly rounds: readonly Both[]
}

const total = (rounds: readonly Both[]): Spread => spreadOf(rounds.map(({ application, proxy }) => application + proxy))

/** Draws what the application and its proxy took together: the median, a whisker for the range of the rounds, the proxy's part hatched. */
export const barChart = (title: string, unit: string, bars: readonly Bar[]): Markup => {
  const most = Math.max(...bars.filter(({ rounds }) => rounds.length > 0).map(({ rounds }) => total(rounds).max), Number.MIN_VALUE)
  const x = linear(most, plot)
  const floor = top + bars.length * rowHeight
  return chart(title, bars.map(({ look, rounds }) => `${look.arrangement.title}: ${rounds.length === 0 ? 'not run' : `${shown(total(rounds).median)} ${unit}`}`).join('; '),
    left + plot + right, floor + 40, [
      ...linearTicks(most).map((tick) => [rule(left + x(tick), top, left + x(tick), floor), label(left + x(tick), floor + 16, whole(tick), 'small', 'middle')]),
      label(left, top - 12, title, 'name'),
      label(left + plot, floor + 34, unit, 'small', 'end'),
      ...bars.map((bar, row) => drawnBar(bar, top + row * rowHeight + rowHeight / 2, x)),
    ])
}

const drawnBar = ({ look: { arrangement, className, colour }, rounds }: Bar, middle: number, x: (value: number) => number): Markup => {
  const name = label(left - 10, middle + 4, arrangement.title, 'name', 'end')
  if (rounds.length === 0) return html`<g class="${className}">${name}${label(left + 6, middle + 4, 'not run', 'none')}</g>`
  const sum = total(rounds)
  const proxy = spreadOf(rounds.map((round) => round.proxy)).median
  const application = sum.median - proxy
  const y = at(middle - thickness / 2)
  return html`<g class="${className}">${name}<rect x="${left}" y="${y}" width="${at(x(application))}" height="${thickness}" fill="${colour}"><title>application: ${shown(application)}</title></rect>${
    proxy > 0 ? html`<rect x="${at(left + x(application))}" y="${y}" width="${at(x(proxy))}" height="${thickness}" fill="${colour}" opacity=".45"/><rect x="${at(left + x(application))}" y="${y}" width="${at(x(proxy))}" height="${thickness}" fill="url(#hatch)"><title>proxy: ${shown(proxy)}</title></rect>` : undefined}<path class="whisker" d="M${at(left + x(sum.min))} ${at(middle - 4)}v8m0 -4H${at(left + x(sum.max))}m0 -4v8"/>${
    label(left + plot + 10, middle + 4, `${shown(sum.median)}  ${range(sum) && `(${range(sum)})`}`)}</g>`
}

/** The pattern that marks the proxy's part; once in a page. */
export const hatch = html`<svg width="0" height="0" class="defs" aria-hidden="true"><defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0v6" stroke="var(--page)" stroke-width="3"/></pattern></defs></svg>`
