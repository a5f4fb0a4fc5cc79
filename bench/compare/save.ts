import { readFile, writeFile } from 'node:fs/promises'
import type { Results } from '../../src/compare/results.ts'
import { withSection } from '../page.ts'
import { comparisonSection } from './page.ts'

const file = 'bench/results/compare.json'
const page = 'docs/comparison.md'

/** Keeps a run, from the project's directory: its figures, and the section of the page made from them. */
export const save = async (results: Results): Promise<void> => {
  await writeFile(file, `${JSON.stringify(results)}\n`)
  await writeFile(page, withSection(await readFile(page, 'utf8'), 'comparison', comparisonSection(results)))
}
