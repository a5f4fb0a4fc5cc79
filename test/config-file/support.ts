import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { MeshConfigError } from '../../src/index.ts'

/** A directory of a test's own, gone after it. */
export const directory = (t: TestContext): string => {
  const path = mkdtempSync(join(tmpdir(), 'enmesh-config-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Writes a file into a directory of its own; its path. */
export const fileOf = (t: TestContext, name: string, text: string | Uint8Array): string => {
  const path = join(directory(t), name)
  writeFileSync(path, text)
  return path
}

/** The faults that something fails with, each on a line, without the directory of the file. */
export const faultsOf = async (run: () => unknown): Promise<readonly string[]> => {
  try {
    await run()
  } catch (error) {
    if (!(error instanceof MeshConfigError)) throw error
    const [, ...lines] = error.message.split('\n')
    return lines.map((line) => line.trim().replace(/^\S*\/enmesh-config-\w+\//, ''))
  }
  return []
}
