import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'

/** The top of the repository. */
export const root = resolve(import.meta.dirname, '../..')

/** How a process ended, and what it printed on both streams. */
export interface Ended {
  readonly code: number | null
  readonly output: string
}

/** Runs Node at the top of the repository, without a word to the runner of the test that asks for it. */
export const runNode = async (args: readonly string[], limit = 60_000): Promise<Ended> => {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: limit })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', resolve)
  })
  const [code, ...streams] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  return { code, output: streams.join('\n') }
}
