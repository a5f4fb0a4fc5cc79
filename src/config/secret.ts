import { resolve } from 'node:path'
import { z } from 'zod'
import { longestSecret, regularFile, UnfitFileError } from '../runtime/regular-file.ts'

const notText = "is a secret, and no secret stands in a configuration: write { env: 'NAME' } for an environment variable, or { file: 'path' }"

const options = z.strictObject({
  env: z.string().min(1).optional().describe('The environment variable that holds it.'),
  file: z.string().min(1).optional().describe("Path of a file that holds it; a relative one starts at the process's working directory."),
}, { error: (issue) => issue.code === 'invalid_type' ? notText : undefined })

/**
 * A secret by the place where it is found: an environment variable or a file, never the text itself. So whatever shows, compares or
 * logs a configuration needs no care for it.
 */
export const secret = options.refine(({ env, file }) => (env === undefined) !== (file === undefined), { error: 'needs exactly one of `env` and `file`' })

/** Parsed form of `secret`. */
export type Secret = z.output<typeof secret>

/**
 * Reads a secret, white space around it left out. Read it anew for each use, so that one that was renewed takes effect.
 * Throws an `Error` that says where it was looked for, and never what was found.
 */
export const readSecret = async ({ env, file }: Secret): Promise<string> => {
  const found = file === undefined ? process.env[env!] : await textOf(file)
  if (found === undefined) throw new Error(`the environment variable '${env!}' is not set, and a secret is expected in it`)
  const text = found.trim()
  if (text === '') throw new Error(`${file === undefined ? `the environment variable '${env!}'` : `the file '${resolve(file)}'`} is empty, and a secret is expected in it`)
  return text
}

/** The text of a file of certificates, or of a secret. Throws an `Error` with its path and the reason. */
export const textOf = async (file: string): Promise<string> => {
  const path = resolve(file)
  try {
    return (await regularFile(path, longestSecret)).toString('utf8')
  } catch (error) {
    if (error instanceof UnfitFileError) throw error
    throw new Error(`the file '${path}' cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'}): check the path, and who may read it`, { cause: error })
  }
}
