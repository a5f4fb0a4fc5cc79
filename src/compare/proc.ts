import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** What processes hold. */
export interface Held {
  /** MiB. */
  readonly memory: number
  /** Sockets open. */
  readonly sockets: number
}

/** Reads below `/proc`: what a file says, undefined where there is none, or no more; and what is in a folder, nothing where there is none. */
export interface Proc {
  readonly file: (path: string) => string | undefined
  readonly folder: (path: string) => readonly string[]
}

const proc: Proc = {
  file(path) {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      return undefined
    }
  },
  folder(path) {
    try {
      return readdirSync(path)
    } catch {
      return []
    }
  },
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

const hertz = 100      // of /proc, whatever the kernel's own: USER_HZ

/** Fields of `/proc/<pid>/stat` from the third on; the second, the program's name in brackets, may have blanks and brackets in it. */
const statOf = (pid: number, { file }: Proc): readonly string[] => {
  const stat = file(`/proc/${pid}/stat`)
  return stat === undefined ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/** The process that started one; undefined where it is gone. */
export const parentOf = (pid: number, from: Proc = proc): number | undefined => {
  const parent = statOf(pid, from)[1]
  return parent === undefined ? undefined : Number(parent)
}

/** CPU of one process up to a moment: of threads that are there in nanoseconds, of all that ever were in hundredths of a second. */
interface ProcessCpu {
  readonly threads: ReadonlyMap<string, number>
  readonly hundredths: number
}

/** CPU of processes up to a moment, to be set against a later one. */
export type CpuReading = ReadonlyMap<number, ProcessCpu>

/** What processes have used until now; nothing of those that are gone. */
export const readCpu = (pids: readonly number[], from: Proc = proc): CpuReading => new Map(pids.flatMap((pid) => {
  const stat = statOf(pid, from)
  if (stat.length === 0) return []
  const folder = `/proc/${pid}/task`
  const threads = from.folder(folder).flatMap((thread) => {
    const used = Number(from.file(`${folder}/${thread}/schedstat`)?.split(' ', 1)[0] ?? 0)
    return used > 0 ? [[thread, used] as const] : []
  })
  return [[pid, { threads: new Map(threads), hundredths: Number(stat[11]) + Number(stat[12]) }]]
}))

/**
 * Seconds that a process used between two readings. Those of its threads, which the kernel counts in nanoseconds (`schedstat`, where it has that); but a
 * thread that has ended has taken its figure along, and the process's own has it still: user and system time, each in whole hundredths, so that it is at
 * least two less than their difference.
 */
const usedBetween = (before: ProcessCpu | undefined, after: ProcessCpu): number => {
  const coarse = (after.hundredths - (before?.hundredths ?? 0)) / hertz
  if (after.threads.size === 0) return coarse
  const fine = sum([...after.threads].map(([thread, used]) => Math.max(0, used - (before?.threads.get(thread) ?? 0)))) / 1e9
  return Math.max(fine, coarse - 2 / hertz)
}

/** Seconds of CPU, user and system, of all threads of processes between two readings. */
export const cpuBetween = (before: CpuReading, after: CpuReading): number => sum([...after].map(([pid, used]) => usedBetween(before.get(pid), used)))

const kib = (text: string | undefined, name: string): number | undefined => {
  const found = text === undefined ? undefined : new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]
  return found === undefined ? undefined : Number(found)
}

/** MiB of one process: its proportional set, in which what several share is divided among them; its resident set where the system tells no other. */
export const memoryOf = (pid: number, { file }: Proc = proc): number =>
  (kib(file(`/proc/${pid}/smaps_rollup`), 'Pss') ?? kib(file(`/proc/${pid}/status`), 'VmRSS') ?? 0) / 1_024

const socketsOf = (pid: number): number => {
  const folder = `/proc/${pid}/fd`
  return proc.folder(folder).filter((fd) => {
    try {
      return readlinkSync(`${folder}/${fd}`).startsWith('socket:')
    } catch {
      return false
    }
  }).length
}

const running = (): readonly number[] => proc.folder('/proc').filter((name) => /^\d+$/.test(name)).map(Number)

/** These processes and all that they started: proxies have workers. */
export const familyOf = (pids: readonly number[], all: readonly number[] = running(), from: Proc = proc): readonly number[] => {
  const parents = new Map(all.map((pid) => [pid, parentOf(pid, from)]))
  const family = new Set(pids)
  for (let before = 0; before < family.size;) {
    before = family.size
    for (const [pid, parent] of parents) if (parent !== undefined && family.has(parent)) family.add(pid)
  }
  return [...family]
}

/** What processes hold together. */
export const heldBy = (pids: readonly number[]): Held =>
  ({ memory: sum(pids.map((pid) => memoryOf(pid))), sockets: sum(pids.map(socketsOf)) })

/** Whether the system tells what processes use. */
export const hasProc = (): boolean => proc.file('/proc/self/stat') !== undefined
