import { writeFile } from 'node:fs/promises'
import { UsageError } from './result.ts'

/** Writes what a command made into a file that is not there yet; with `force` also over one that is. */
export const save = async (out: string, text: string, force: boolean): Promise<void> => {
  try {
    await writeFile(out, text, { flag: force ? 'w' : 'wx' })
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException
    if (out === '') throw new UsageError('--out is empty: write the name of a file')
    throw new UsageError(code === 'EEXIST' ? `${out} is there already: write --force to replace it, or another name after --out`
      : `${out} cannot be written: ${code}`)
  }
}
