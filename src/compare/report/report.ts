import { access, constants, mkdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Results } from '../results.ts'
import { page } from './page.ts'

const files = ['index.html', 'results.json'] as const

/** Says why no report can be written to a directory; undefined where one can. To be asked before minutes are spent on what goes there; makes nothing. */
export const whyUnwritable = async (directory: string): Promise<string | undefined> => {
  for (const name of files) {
    const file = await stat(join(directory, name)).catch(() => undefined)
    if (file?.isDirectory()) return `${name} in it is a directory`
  }
  // What is not there yet is made in the nearest that is.
  for (let at = resolve(directory); ; at = dirname(at)) {
    try {
      if (!(await stat(at)).isDirectory()) return `${at} is a file`
      await access(at, constants.W_OK)
      return undefined
    } catch (error) {
      const { code = String(error) } = error as NodeJS.ErrnoException
      if (code !== 'ENOENT' || at === dirname(at)) return code === 'ENOTDIR' ? 'a part of it is a file' : `${at}: ${code}`
    }
  }
}

/** Writes `index.html`, which needs nothing else to be read, and `results.json` beside it; over those of an earlier run. Makes the directory where it is missing. */
export const writeReport = async (results: Results, directory: string): Promise<void> => {
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'results.json'), `${JSON.stringify(results, null, 2)}\n`)
  await writeFile(join(directory, 'index.html'), page(results))
}
