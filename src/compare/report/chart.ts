import { html, type Markup, type Part } from './html.ts'

/** A chart as SVG, with a title and a description for those who do not see it. */
export const chart = (title: string, description: string, width: number, height: number, body: Part): Markup =>
  html`<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}"><title>${title}</title><desc>${description}</desc>${body}</svg>`

/** A place in a chart, short. */
export const at = (value: number): string => String(Math.round(value * 10) / 10)

/** Text in a chart. */
export const label = (x: number, y: number, text: string, className = 'small', anchor: 'start' | 'middle' | 'end' = 'start'): Markup =>
  html`<text class="${className}" x="${at(x)}" y="${at(y)}" text-anchor="${anchor}">${text}</text>`

/** A line of the grid. */
export const rule = (x1: number, y1: number, x2: number, y2: number, className = 'grid'): Markup =>
  html`<path class="${className}" d="M${at(x1)} ${at(y1)}L${at(x2)} ${at(y2)}"/>`
