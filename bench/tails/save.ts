import { readFile, writeFile } from 'node:fs/promises'
import { withSection } from '../page.ts'
import { tailsSection, type Results } from './page.ts'

const file = new URL('../results/tails.json', import.meta.url)
const page = new URL('../../docs/tails.md', import.meta.url)

/** Keeps a run: its figures, and the section of the page made from them. */
export const save = async (results: Results): Promise<void> => {
  await writeFile(file, `${JSON.stringify(results, null, 1)}\n`)
  await writeFile(page, withSection(await readFile(page, 'utf8'), 'tails', tailsSection(results)))
}
