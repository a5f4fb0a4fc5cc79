import type { Rows } from './report.ts'

const rowHeight = 34
const left = 190
const barWidth = 420
const right = 190
const top = 64

// By the viewer's own colours; `currentColor` cannot know them inside an image.
/** How text looks in every chart. */
export const textStyle = `
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 15px }
  .small { font-size: 12px; fill: #57606a }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .small { fill: #9198a1 }
  }`

const style = `${textStyle}
  .other { fill: #9aa4af }
  .mesh { fill: #1f7a8c }
  .spread { stroke: #24292f; stroke-width: 1.5; fill: none }
  @media (prefers-color-scheme: dark) {
    .other { fill: #5b6672 }
    .mesh { fill: #3fb0c6 }
    .spread { stroke: #e6edf3 }
  }`

/** Text as it may stand in an image. */
export const escaped = (text: string): string => text.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`)

/** Draws the CPU that a request costs in each mode, a bar for the median and a whisker for the range, as an SVG image. */
export const chart = (rows: Rows, subtitle: string): string => {
  const bars = Object.entries(rows).map(([mode, { cpu }]) => ({ mode, ...cpu }))
  const most = Math.max(...bars.map(({ max }) => max))
  const x = (value: number): string => (left + value / most * barWidth).toFixed(1)
  const width = left + barWidth + right
  const height = top + bars.length * rowHeight + 12
  const drawn = bars.map(({ mode, median, min, max }, index) => {
    const middle = top + index * rowHeight + rowHeight / 2
    const text = `${median.toFixed(1)} µs (${min.toFixed(1)}–${max.toFixed(1)})`
    return `  <text x="${left - 10}" y="${middle + 4}" text-anchor="end">${escaped(mode)}</text>
  <rect class="${mode.startsWith('mesh.') ? 'mesh' : 'other'}" x="${left}" y="${middle - 10}" width="${(median / most * barWidth).toFixed(1)}" height="20" rx="2"/>
  <path class="spread" d="M${x(min)} ${middle - 5}v10M${x(min)} ${middle}H${x(max)}M${x(max)} ${middle - 5}v10"/>
  <text class="small" x="${left + barWidth + 10}" y="${middle + 4}">${text}</text>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
  <title>CPU per request by mode</title>
  <desc>${escaped(bars.map(({ mode, median }) => `${mode}: ${median.toFixed(1)} µs`).join(', '))}</desc>
  <style>${style}
  </style>
  <text class="title" x="10" y="24">CPU per request, microseconds: median, and range of the rounds</text>
  <text class="small" x="10" y="44">${escaped(subtitle)}</text>
${drawn.join('\n')}
</svg>
`
}
