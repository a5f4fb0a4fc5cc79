import { Markup } from './html.ts'

/** How the page looks, in light and in dark. */
export const style = new Markup(`
:root { color-scheme: light dark; --page: #fff; --ink: #1f2933; --soft: #5b6773; --line: #d8dee4; --panel: #f6f8fa; --bad: #cf2e2e; --wrong: #e0a100; --accent: #0f8b9d }
@media (prefers-color-scheme: dark) { :root { --page: #12171d; --ink: #e4e9ee; --soft: #97a3af; --line: #303a44; --panel: #1a2129; --bad: #f06161; --wrong: #e5b83b; --accent: #45b8c9 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
main { max-width: 1120px; margin: 0 auto; padding: 24px 20px 80px }
h1 { font-size: 28px; margin: 8px 0 }
h2 { font-size: 22px; margin: 48px 0 8px; padding-top: 12px; border-top: 1px solid var(--line) }
h3 { font-size: 17px; margin: 32px 0 4px }
p, li { max-width: 80ch }
a { color: var(--accent) }
nav { position: sticky; top: 0; z-index: 1; background: var(--page); border-bottom: 1px solid var(--line); padding: 8px 0; font-size: 14px }
nav a { margin-right: 14px }
fieldset { border: 1px solid var(--line); border-radius: 6px; margin: 12px 0; padding: 6px 12px; display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 14px }
legend { color: var(--soft) }
label { display: inline-flex; align-items: center; gap: 6px; cursor: pointer }
label svg { width: 26px; height: 8px; flex: none }
svg { display: block; width: 100%; height: auto; max-width: 900px }
svg.defs { height: 0; position: absolute }
svg text { font: 13px system-ui, sans-serif; fill: var(--ink) }
svg .name { font-weight: 500 }
svg .small { font-size: 12px; fill: var(--soft) }
svg .none { font-size: 12px; fill: var(--soft); font-style: italic }
svg .lost { font-size: 12px; font-weight: 600; fill: var(--bad) }
svg .grid { stroke: var(--line); stroke-width: 1; fill: none }
svg .mark { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 2 3; fill: none }
svg .line { fill: none; stroke-width: 2.2 }
svg .p99 { fill: none; stroke-width: 1.5 }
svg .whisker { stroke: var(--ink); stroke-width: 1.3; fill: none }
.wide { overflow-x: auto; max-width: 100% }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; margin: 8px 0 }
th, td { border-bottom: 1px solid var(--line); padding: 5px 10px; text-align: right; vertical-align: top }
th[scope=row] { text-align: left; font-weight: 500; white-space: nowrap }
thead th { color: var(--soft); font-weight: 500; vertical-align: bottom; max-width: 130px }
table.words th[scope=row] { white-space: normal }
thead th:first-child { text-align: left }
th i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 8px }
td small { display: block; color: var(--soft); font-size: 12px; white-space: nowrap }
td.best { font-weight: 700 }
td.none, p.none { color: var(--soft); font-style: italic; text-align: left }
td.text { text-align: left; max-width: 340px; overflow-wrap: anywhere }
td.lost { color: var(--bad); font-weight: 600 }
tr.ours { background: var(--panel) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 16px; font-size: 14px }
dt { color: var(--soft) } dd { margin: 0; overflow-wrap: anywhere }
ol.marks { font-size: 14px; color: var(--soft); margin: 4px 0 }
details { margin: 8px 0 } summary { cursor: pointer; color: var(--accent) }
@media print { nav, fieldset { display: none } details { display: block } }
`)
