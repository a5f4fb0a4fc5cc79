import { readFile, writeFile } from 'node:fs/promises'
import { withSection } from '../page.ts'
import { chartOf } from './chart.ts'
import { fileOf, studySection } from './page.ts'
import type { Study } from './study.ts'

const results = new URL('../results/', import.meta.url)
const page = new URL('../../docs/balancing.md', import.meta.url)

/** JSON in which the figures of a seed stand on one line. */
const written = (study: Study): string => JSON.stringify(study, null, 1).replace(/\{\s*("calls"[^}]*?)\s*\}/g, (_, figures: string) => `{ ${figures.replace(/\s+/g, ' ')} }`)

/** Keeps a run: its figures, its charts, and the section of the page that shows them. */
export const save = async (study: Study): Promise<void> => {
  await writeFile(new URL('balancing.json', results), `${written(study)}\n`)
  for (const result of study.results) await writeFile(new URL(fileOf(result.name), results), chartOf(result))
  await writeFile(page, withSection(await readFile(page, 'utf8'), 'balancing', studySection(study)))
}
