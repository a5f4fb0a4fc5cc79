import type { FaultResult, FaultRun, Slice } from '../results.ts'
import { at, chart, label, rule } from './chart.ts'
import { html, type Markup } from './html.ts'
import type { Look } from './looks.ts'
import { percent, time, whole } from './numbers.ts'
import { linear, linearTicks, logarithmic } from './scale.ts'

const left = 236
const plot = 580
const right = 84
const top = 44
const lane = 40
const latencyLane = 22
const rowHeight = lane + latencyLane + 14

const lostOf = ({ failed, wrongVersion }: FaultRun): number => failed + wrongVersion

/** Of several rounds, the one in the middle by what it lost; of two, the one that lost more. */
const typical = (runs: readonly FaultRun[]): FaultRun | undefined => runs.toSorted((a, b) => lostOf(a) - lostOf(b))[runs.length >> 1]

const stops = (slices: readonly Slice[]): readonly (Slice & { readonly until: number })[] =>
  slices.map((slice, place) => ({ ...slice, until: slices[place + 1]?.at ?? slice.at + (slice.at - (slices[place - 1]?.at ?? slice.at - 1)) }))

/** Draws what happened when: for each arrangement answers and failures by slice, and below them the p99. */
export const timelineChart = (fault: FaultResult, looks: readonly Look[]): Markup => {
  const rows = looks.map((look) => ({ look, run: typical(fault.runs.filter(({ arrangement }) => arrangement === look.arrangement.id)) }))
  const slices = rows.flatMap(({ run }) => run ? stops(run.slices) : [])
  const end = Math.max(1, ...slices.map(({ until }) => until))
  const most = Math.max(1, ...slices.map(({ ok, failed }) => ok + failed))
  const slowest = Math.max(1, ...slices.map(({ p99 }) => p99))
  const fastest = Math.max(0.1, Math.min(slowest / 2, ...slices.map(({ p99 }) => p99).filter((p99) => p99 > 0)))
  const x = linear(end, plot)
  const floor = top + rows.length * rowHeight
  const scales: Scales = { x, y: linear(most, lane), latency: logarithmic(fastest, slowest, latencyLane) }
  return chart(`${fault.title}: what became of the calls`, `${fault.what} For each arrangement, answers and failures over time, and the p99 from ${time(fastest)} to ${time(slowest)}.`,
    left + plot + right, floor + 40, [
      ...fault.marks.map((mark, place) => [
        rule(left + x(mark.at), top - 8, left + x(mark.at), floor, 'mark'),
        // Words would cover each other where marks are close: numbers don't.
        label(left + x(mark.at), top - 14 - (place % 2) * 14, whole(place + 1), 'small', 'middle')]),
      ...rows.map((row, place) => drawnRow(row, top + place * rowHeight, scales)),
      ...linearTicks(end / 1_000).map((second) => label(left + x(second * 1_000), floor + 16, whole(second), 'small', 'middle')),
      label(left + plot, floor + 34, `seconds; p99 from ${time(fastest)} to ${time(slowest)}, by powers of ten`, 'small', 'end'),
    ])
}

interface Scales {
  readonly x: (value: number) => number
  readonly y: (value: number) => number
  readonly latency: (value: number) => number
}

const drawnRow = ({ look, run }: { readonly look: Look, readonly run: FaultRun | undefined }, y: number, scales: Scales): Markup => {
  const { arrangement, className, colour } = look
  const name = label(left - 10, y + lane / 2 + 4, arrangement.title, 'name', 'end')
  if (!run) return html`<g class="${className}">${name}${label(left + 6, y + lane / 2 + 4, 'not run', 'none')}</g>`
  const lost = label(left + plot + 8, y + lane / 2 + 4, percent(lostOf(run), run.requests), lostOf(run) > 0 ? 'lost' : 'small')
  const answered = stops(run.slices).filter(({ ok }) => ok > 0)
  const points = answered.map((slice) => `${at(left + scales.x((slice.at + slice.until) / 2))} ${at(y + lane + 6 + latencyLane - scales.latency(slice.p99))}`)
  return html`<g class="${className}">${name}${lost}${stops(run.slices).map((slice) => drawnSlice(slice, y + lane, scales, colour))}${
    points.length > 0 ? html`<path class="p99" stroke="${colour}" d="M${points.join('L')}"/>` : undefined}</g>`
}

const drawnSlice = ({ at: from, until, ok, failed, wrongVersion }: Slice & { readonly until: number }, floor: number, { x, y }: Scales, colour: string): readonly Markup[] => {
  let below = floor
  const part = (count: number, fill: string, what: string): readonly Markup[] => {
    if (count === 0) return []
    // One of thousands has to be seen.
    const high = Math.max(1.5, y(count))
    below -= high
    return [html`<rect x="${at(left + x(from))}" y="${at(below)}" width="${at(Math.max(0.5, x(until - from) - 0.5))}" height="${at(high)}" fill="${fill}"><title>${`${time(from)}: ${count} ${what}`}</title></rect>`]
  }
  return [...part(failed, 'var(--bad)', 'failed'), ...part(wrongVersion, 'var(--wrong)', 'of the wrong version'), ...part(ok - wrongVersion, colour, 'answered')]
}
