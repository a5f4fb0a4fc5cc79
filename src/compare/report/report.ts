import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Results } from '../results.ts'
import { page } from './page.ts'

/** Writes `index.html`, which needs nothing else to be read, and `results.json` beside it; makes the directory where it is missing. */
export const writeReport = async (results: Results, directory: string): Promise<void> => {
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'results.json'), `${JSON.stringify(results, null, 2)}\n`)
  await writeFile(join(directory, 'index.html'), page(results))
}
