import { escaped, textStyle } from '../chart.ts'
import type { Spread } from '../../src/compare/spread.ts'
import type { Figures } from './measure.ts'
import { over } from './page.ts'
import type { Result } from './study.ts'

const left = 190
const plot = 430
const right = 250
const top = 74
const rowHeight = 30

/** Places on an axis of powers of ten. */
const axis = (from: number, to: number, length: number): ((value: number) => number) => (value) =>
  (Math.log10(Math.max(from, value)) - Math.log10(from)) / (Math.log10(to) - Math.log10(from)) * length

const ticks = (from: number, to: number): readonly number[] =>
  [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000].filter((tick) => tick >= from && tick <= to)

const colours = ['#5b6672', '#a0785a', '#7a9e3f', '#1f7a8c', '#b4557a', '#c8741f', '#d9a441', '#6a5acd', '#2e8b57']

const style = `${textStyle}
  .grid { stroke: #8b949e; stroke-opacity: .3 }
  .range { stroke: #8b949e; stroke-width: 2 }
  .p50 { fill: #9aa4af } .p99 { fill: #1f7a8c } .p999 { fill: #c8741f }
  .spread { fill-opacity: .35 }`

const svg = (title: string, width: number, height: number, body: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
  <title>${escaped(title)}</title>
  <style>${style}
  </style>
  <text class="title" x="10" y="24">${escaped(title)}</text>
${body}
</svg>
`

const at = (value: number): string => value.toFixed(1)

type Percentile = 'p50' | 'p99' | 'p999'

const kinds: readonly Percentile[] = ['p50', 'p99', 'p999']

const spreadOf = (seeds: readonly Figures[], percentile: Percentile): Spread => over(seeds, (figures) => figures[percentile])

/** Draws a scenario: percentiles by algorithm, or the p99.9 over the load where there are several. Dots and lines are medians, what is pale around them reaches from the least to the most. */
export const chartOf = (result: Result): string => result.phases.length > 1 ? lines(result) : dots(result)

const dots = ({ name, rows }: Result): string => {
  const drawn = Object.entries(rows).map(([algorithm, row]) => ({ algorithm, seeds: row[0]! }))
  const least = Math.min(...drawn.map(({ seeds }) => spreadOf(seeds, 'p50').min)) * 0.8
  const most = Math.max(...drawn.map(({ seeds }) => spreadOf(seeds, 'p999').max)) * 1.1
  const x = axis(least, most, plot)
  const bottom = top + drawn.length * rowHeight
  const grid = ticks(least, most).map((tick) =>
    `  <path class="grid" d="M${at(left + x(tick))} ${top - 4}V${bottom}"/><text class="small" x="${at(left + x(tick))}" y="${bottom + 16}" text-anchor="middle">${tick}</text>`)
  const head = `  <text class="small" x="10" y="44">milliseconds: p50 grey, p99 blue, p99.9 orange; median over the seeds, pale from the least to the most</text>
  <text class="small" x="${left + plot + 20}" y="${top - 8}">failed %</text><text class="small" x="${left + plot + 90}" y="${top - 8}">imbalance</text><text class="small" x="${left + plot + 170}" y="${top - 8}">sockets</text>`
  const body = drawn.map(({ algorithm, seeds }, index) => line(algorithm, seeds, top + index * rowHeight + rowHeight / 2, x))
  return svg(`${name}: latency by algorithm`, left + plot + right, bottom + 28, [head, ...grid, ...body].join('\n'))
}

const line = (algorithm: string, seeds: readonly Figures[], y: number, x: (value: number) => number): string => {
  const bar = (kind: Percentile): string => {
    const { min, max } = spreadOf(seeds, kind)
    return `<rect class="${kind} spread" x="${at(left + x(min))}" y="${y - 6}" width="${at(x(max) - x(min))}" height="12"/>`
  }
  const dot = (kind: Percentile): string => `<circle class="${kind}" cx="${at(left + x(spreadOf(seeds, kind).median))}" cy="${y}" r="6"/>`
  const median = (value: (figures: Figures) => number): number => over(seeds, value).median
  const failed = median((figures) => figures.failed * 100 / figures.calls)
  return `  <text x="${left - 10}" y="${y + 4}" text-anchor="end">${escaped(algorithm)}</text>
  <path class="range" d="M${at(left + x(spreadOf(seeds, 'p50').median))} ${y}H${at(left + x(spreadOf(seeds, 'p999').median))}"/>${kinds.map(bar).join('')}${kinds.map(dot).join('')}
  <text class="small" x="${left + plot + 20}" y="${y + 4}">${failed === 0 ? '0' : failed.toFixed(2)}</text><text class="small" x="${left + plot + 90}" y="${y + 4}">${median(({ imbalance }) => imbalance).toFixed(2)}</text><text class="small" x="${left + plot + 170}" y="${y + 4}">${Math.round(median(({ sockets }) => sockets))}</text>`
}

const lines = ({ name, phases, rows }: Result): string => {
  const drawn = Object.entries(rows)
  const values = drawn.flatMap(([, row]) => row.map((seeds) => spreadOf(seeds, 'p999')))
  const least = Math.min(...values.map(({ min }) => min)) * 0.8
  const most = Math.max(...values.map(({ max }) => max)) * 1.1
  const height = 300
  const y = axis(least, most, height)
  const place = (index: number): number => 60 + index * 560 / (phases.length - 1)
  const grid = ticks(least, most).map((tick) =>
    `  <path class="grid" d="M60 ${at(top + height - y(tick))}H620"/><text class="small" x="50" y="${at(top + height - y(tick) + 4)}" text-anchor="end">${tick}</text>`)
  const loads = phases.map((phase, index) => `  <text class="small" x="${at(place(index))}" y="${top + height + 18}" text-anchor="middle">${phase}</text>`)
  const body = drawn.map(([algorithm, row], index) => {
    const points = (of: (spread: Spread) => number): readonly string[] =>
      row.map((seeds, phase) => `${at(place(phase))} ${at(top + height - y(of(spreadOf(seeds, 'p999'))))}`)
    const colour = colours[index % colours.length]!
    const around = [...points(({ min }) => min), ...points(({ max }) => max).toReversed()]
    return `  <path d="M${around.join('L')}Z" fill="${colour}" fill-opacity=".15"/>
  <path d="M${points(({ median }) => median).join('L')}" fill="none" stroke="${colour}" stroke-width="2.5"/>
  <path d="M640 ${top + 10 + index * 22}h24" stroke="${colour}" stroke-width="2.5"/><text x="672" y="${top + 14 + index * 22}">${escaped(algorithm)}</text>`
  })
  const head = '  <text class="small" x="10" y="44">p99.9 in milliseconds over the load, in multiples of what is allotted; 5000 is the deadline. Median over the seeds, pale from the least to the most</text>'
  return svg(`${name}: p99.9 by load`, 870, top + height + 34, [head, ...grid, ...loads, ...body].join('\n'))
}
