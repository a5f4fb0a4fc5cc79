import { appendFile } from 'node:fs/promises'
import type { Cancel, Clock } from '../../runtime/clock.ts'
import { detached } from '../../runtime/clock.ts'

/** Milliseconds that a line may wait for others. */
const longestWait = 1_000

/** Characters that are written at once without a further wait. */
const enough = 64 * 1024

/** Characters that may wait for a slow disk; what comes beyond is dropped, so that no log eats the memory of the process. */
const most = 8 * 1024 * 1024

const streams: Readonly<Record<string, () => NodeJS.WriteStream>> = { '/dev/stdout': () => process.stdout, '/dev/stderr': () => process.stderr }

/**
 * Appends to a file, or a stream of the process. A file is opened for each write: one that was renamed meanwhile is made anew.
 */
const appendTo = (path: string): (text: string) => Promise<void> => {
  const stream = streams[path]
  if (!stream) return (text) => appendFile(path, text)
  return (text) => new Promise((resolve, reject) => {
    const to = stream()
    to.write(text, (error) => {
      if (!error) return resolve()
      // A reader that has gone would end the process by an `error` that nobody hears; `console.log` holds it back too.
      to.once('error', () => {})
      reject(error)
    })
  })
}

/**
 * Lines on their way to a file. Whoever adds one never waits, and never hears of a fault: the process is warned, once until it
 * goes well again.
 */
export class LogFile {
  readonly #path: string
  readonly #clock: Clock
  readonly #append: (text: string) => Promise<void>
  #lines: string[] = []
  #length = 0
  #dropped = 0
  #failing = false
  #cancel: Cancel | undefined
  #writing: Promise<void> | undefined

  constructor(path: string, clock: Clock, append = appendTo(path)) {
    this.#path = path
    this.#clock = clock
    this.#append = append
  }

  /** Takes a line, its end included. */
  add(line: string): void {
    if (this.#length + line.length > most) {
      this.#dropped++
      return
    }
    this.#lines.push(line)
    this.#length += line.length
    if (this.#writing) return
    if (this.#length >= enough) this.#write()
    else this.#cancel ??= this.#clock.background(longestWait, () => this.#write())
  }

  #write(): void {
    this.#cancel?.()
    this.#cancel = undefined
    if (this.#writing || this.#lines.length === 0) return
    const text = this.#lines.join('')
    const dropped = this.#dropped
    this.#lines = []
    this.#length = this.#dropped = 0
    this.#writing = detached(() => this.#append(text)).then(
      () => this.#wrote(dropped),
      (error: unknown) => this.#failed(error),
    ).finally(() => {
      this.#writing = undefined
      if (this.#length >= enough) this.#write()
      else if (this.#length > 0) this.#cancel ??= this.#clock.background(longestWait, () => this.#write())
    })
  }

  #wrote(dropped: number): void {
    this.#failing = false
    if (dropped > 0) warn(`${dropped} lines of the access log ${this.#path} were left out, since it is written too slowly`)
  }

  #failed(error: unknown): void {
    if (this.#failing) return
    this.#failing = true
    warn(`The access log ${this.#path} cannot be written, and its lines are lost until it can: ${error instanceof Error ? error.message : String(error)}`)
  }

  /** Resolves when all that was added is written, or could not be. */
  async flush(): Promise<void> {
    this.#write()
    while (this.#writing) {
      await this.#writing
      this.#write()
    }
  }
}

const warn = (message: string): void => process.emitWarning(message, 'EnmeshWarning')

/** The files of one mesh, by their path; they outlive configurations. */
export class LogFiles {
  readonly #clock: Clock
  readonly #files = new Map<string, LogFile>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The file of a path. */
  at(path: string): LogFile {
    let file = this.#files.get(path)
    if (!file) this.#files.set(path, file = new LogFile(path, this.#clock))
    return file
  }

  /** Writes what is still there. */
  async flush(): Promise<void> {
    await Promise.all([...this.#files.values()].map((file) => file.flush()))
  }
}
