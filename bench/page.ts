import { caseNames } from './cases.ts'
import { memoryTable, type MemoryResults } from './findings.ts'
import { circumstances, loadOf, tables, type Results } from './report.ts'
import { markdown } from '../src/compare/table.ts'

/** What `docs/performance.md` says of a run. */
export const runSection = (results: Results): string => [
  circumstances(results),
  'Median (min–max) of the rounds; × is the ratio to another mode, paired by round.',
  ...caseNames.filter((name) => results.cases[name]).flatMap((name) =>
    [`### ${name}`, `${loadOf(name, results.load)}.`, ...tables(name, results.cases[name]!).map(markdown)]),
].join('\n\n')

/** What `docs/performance.md` says of memory and of large sets of endpoints. */
export const memorySection = (results: MemoryResults): string =>
  [circumstances(results), markdown(memoryTable(results.findings))].join('\n\n')

const marks = (name: string): readonly [string, string] => [`<!-- ${name}: written by the benchmark -->`, `<!-- end of ${name} -->`]

/** Where the text between the marks of a section begins and ends. Throws for a page without it. */
const boundsOf = (page: string, name: string): readonly [from: number, to: number] => {
  const [begin, end] = marks(name)
  const from = page.indexOf(begin)
  const to = page.indexOf(end)
  if (from < 0 || to < from) throw new Error(`The page has no section '${name}': it needs a line '${begin}', and below it '${end}'`)
  return [from + begin.length, to]
}

/** The text between the marks of a section. */
export const sectionOf = (page: string, name: string): string => page.slice(...boundsOf(page, name)).trim()

/** The page with another text between the marks of a section. */
export const withSection = (page: string, name: string, text: string): string => {
  const [from, to] = boundsOf(page, name)
  return `${page.slice(0, from)}\n\n${text}\n\n${page.slice(to)}`
}
