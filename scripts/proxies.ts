import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { policyRows } from '../src/proxies/expression.ts'
import type { Expression } from '../src/proxies/expression/row.ts'

/** The guide whose table is written by the code's own list. */
export const proxiesPage = 'docs/guides/proxies.md'

const begin = '<!-- table: written by node scripts/write-proxies.ts -->\n'
const end = '<!-- /table -->\n'

const cell = (expression: Expression): string => {
  if (expression.level === 'same') return expression.remark === undefined ? 'the same' : `the same: ${expression.remark}`
  return `**${expression.level}**: ${expression.instead} (${expression.why})`
}

const escaped = (text: string): string => text.replaceAll('|', '\\|')

/** The table of the guide: each policy, and what becomes of it in each proxy. */
export const proxiesTable = (): string => [
  '| policy | HAProxy | nginx | Envoy |', '|---|---|---|---|',
  ...policyRows.map(({ policy, haproxy, nginx, envoy }) => `| \`${policy}\` | ${[haproxy, nginx, envoy].map((each) => escaped(cell(each))).join(' | ')} |`),
].map((line) => `${line}\n`).join('')

/** The guide with its table as the code says it. */
export const proxiesGuide = (text: string): string => {
  const [before, rest] = text.split(begin)
  const [, after] = (rest ?? '').split(end)
  if (before === undefined || after === undefined) throw new Error(`${proxiesPage} has no place for its table: it stands between ${begin.trim()} and ${end.trim()}`)
  return `${before}${begin}${proxiesTable()}${end}${after}`
}

/** The guide as it is. */
export const writtenGuide = (): string => readFileSync(join(import.meta.dirname, '..', proxiesPage), 'utf8')
