import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** What processes have used and hold. */
export interface Usage {
  /** Seconds of CPU since they began, user and system, of all their threads. */
  readonly cpu: number
  /** MiB. */
  readonly memory: number
  /** Sockets open. */
  readonly sockets: number
}

/** Reads a file below `/proc`; undefined where there is none, or no more. */
export type ReadProc = (path: string) => string | undefined

const readProc: ReadProc = (path) => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

const hertz = 100      // of /proc, whatever the kernel's own: USER_HZ

/** Fields of `/proc/<pid>/stat` from the third on; the second, the program's name in brackets, may have blanks and brackets in it. */
const statOf = (pid: number, read: ReadProc): readonly string[] => {
  const stat = read(`/proc/${pid}/stat`)
  return stat === undefined ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/** The process that started one; undefined where it is gone. */
export const parentOf = (pid: number, read: ReadProc = readProc): number | undefined => {
  const parent = statOf(pid, read)[1]
  return parent === undefined ? undefined : Number(parent)
}

/** Seconds of CPU of one process; 0 where it is gone. */
export const cpuOf = (pid: number, read: ReadProc = readProc): number => {
  const stat = statOf(pid, read)
  return stat.length === 0 ? 0 : (Number(stat[11]) + Number(stat[12])) / hertz
}

const kib = (text: string | undefined, name: string): number | undefined => {
  const found = text === undefined ? undefined : new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]
  return found === undefined ? undefined : Number(found)
}

/** MiB of one process: its proportional set, in which what several share is divided among them; its resident set where the system tells no other. */
export const memoryOf = (pid: number, read: ReadProc = readProc): number =>
  (kib(read(`/proc/${pid}/smaps_rollup`), 'Pss') ?? kib(read(`/proc/${pid}/status`), 'VmRSS') ?? 0) / 1_024

const socketsOf = (pid: number): number => {
  try {
    const folder = `/proc/${pid}/fd`
    return readdirSync(folder).filter((fd) => {
      try {
        return readlinkSync(`${folder}/${fd}`).startsWith('socket:')
      } catch {
        return false
      }
    }).length
  } catch {
    return 0
  }
}

const running = (): readonly number[] => {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number)
  } catch {
    return []
  }
}

/** These processes and all that they started: proxies have workers. */
export const familyOf = (pids: readonly number[], all: readonly number[] = running(), read: ReadProc = readProc): readonly number[] => {
  const parents = new Map(all.map((pid) => [pid, parentOf(pid, read)]))
  const family = new Set(pids)
  for (let before = 0; before < family.size;) {
    before = family.size
    for (const [pid, parent] of parents) if (parent !== undefined && family.has(parent)) family.add(pid)
  }
  return [...family]
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

/** Seconds of CPU of processes together. */
export const cpuOfAll = (pids: readonly number[]): number => sum(pids.map((pid) => cpuOf(pid)))

/** What processes have used and hold together. */
export const usageOf = (pids: readonly number[]): Usage =>
  ({ cpu: cpuOfAll(pids), memory: sum(pids.map((pid) => memoryOf(pid))), sockets: sum(pids.map(socketsOf)) })

/** Whether the system tells what processes use. */
export const hasProc = (): boolean => readProc('/proc/self/stat') !== undefined
