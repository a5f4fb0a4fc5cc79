import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A core that processes can be kept on, and all that they were allowed before, as `taskset` writes them. */
export interface Cores {
  readonly one: string
  readonly all: string
}

/** The last core in a list as the kernel writes it (`0-3,8`): the first one often has the interrupts of the machine. */
export const lastCore = (list: string): string => /\d+$/.exec(list)?.[0] ?? list

const allowed = (): string | undefined => {
  try {
    return /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  } catch {
    return undefined
  }
}

const keep = async (pids: readonly number[], list: string): Promise<void> => {
  for (const pid of pids) await run('taskset', ['-a', '-p', '-c', list, String(pid)])
}

/** Where processes can be kept on this machine, or why they cannot be. */
export const coresHere = async (): Promise<Cores | string> => {
  const all = allowed()
  if (all === undefined) return 'this system does not tell which cores a process may use'
  try {
    await keep([process.pid], all)
    return { one: lastCore(all), all }
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no taskset on the PATH (apt-get install util-linux)' : `taskset failed: ${String(error).split('\n', 1)[0]!}`
  }
}

/** Does something while processes, with all their threads and what they start meanwhile, are kept on one core. */
export const onOneCore = async <T>({ one, all }: Cores, pids: readonly number[], act: () => Promise<T>): Promise<T> => {
  try {
    await keep(pids, one)
    return await act()
  } finally {
    // One that is gone needs nothing any more, and must not hide how.
    for (const pid of pids) await keep([pid], all).catch(() => {})
  }
}
