import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { chart } from './chart.ts'
import type { MemoryResults } from './findings.ts'
import { memorySection, runSection, withSection } from './page.ts'
import { loadOf, type Results } from './report.ts'

const folder = new URL('results/', import.meta.url)
const page = new URL('../docs/performance.md', import.meta.url)

const write = async (file: string, text: string): Promise<void> => {
  await mkdir(folder, { recursive: true })
  await writeFile(new URL(file, folder), text)
}

const writeSection = async (name: string, text: string): Promise<void> =>
  writeFile(page, withSection(await readFile(page, 'utf8'), name, text))

const json = (results: object): string => `${JSON.stringify(results, undefined, 2)}\n`

/** The chart of a run: its base case. `undefined` where that was not measured. */
export const chartOf = ({ cases: { base }, load, date, machine }: Results): string | undefined =>
  base && chart(base, `${loadOf('base', load)}; ${date.slice(0, 10)}, Node ${machine.node}`)

/** Keeps a run: its figures, its chart, and the tables of the page made from them. */
export const saveRun = async (results: Results): Promise<void> => {
  await write('latest.json', json(results))
  const drawn = chartOf(results)
  if (drawn !== undefined) await write('latest.svg', drawn)
  await writeSection('run', runSection(results))
}

/** Keeps what was found of memory, and the table of the page made from it. */
export const saveMemory = async (results: MemoryResults): Promise<void> => {
  await write('memory.json', json(results))
  await writeSection('memory', memorySection(results))
}
