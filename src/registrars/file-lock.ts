import { link, rename, rm, stat, writeFile } from 'node:fs/promises'
import type { Clock } from '../runtime/clock.ts'

/**
 * How long a lock is respected that nobody lets go of, in milliseconds. Held it is for as long as a file is written; and whoever leaves has to get
 * past the lock of one that was killed before he gives up (5 s), or he stays listed for good.
 */
const longestLock = 3_000
const lockRetry = 25

/** What processes hold while they read and write one file, so that they do so one after another: a file beside it that only one can make. */
export class Lock {
  readonly #path: string
  readonly #mark: string
  readonly #clock: Clock

  constructor(path: string, mark: string, clock: Clock) {
    this.#path = `${path}.lock`
    this.#mark = mark
    this.#clock = clock
  }

  /** Runs a task alone. Rejects with the signal's reason where that comes first. */
  async hold<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    await this.#take(signal)
    try {
      return await task()
    } finally {
      await rm(this.#path, { force: true })
    }
  }

  async #take(signal: AbortSignal): Promise<void> {
    for (let seen: { readonly one: string, readonly since: number } | undefined; ;) {
      signal.throwIfAborted()
      try {
        return await writeFile(this.#path, `${process.pid}\n`, { flag: 'wx' })
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      const one = await this.#identity(this.#path)
      const now = this.#clock.now()
      if (seen?.one !== one) seen = { one, since: now }
      if (now - seen.since >= longestLock) await this.#breakOpen(one)
      else await this.#pause(signal)
    }
  }

  /** Tells one lock from the next at the same path. */
  async #identity(path: string): Promise<string> {
    const { ino, mtimeMs } = await stat(path).catch(() => ({ ino: 0, mtimeMs: 0 }))
    return `${ino} ${mtimeMs}`
  }

  /** Takes away the lock of a process that died with it. Only one of several can move it; what was moved by mistake is put back. */
  async #breakOpen(one: string): Promise<void> {
    const aside = `${this.#path}.${this.#mark}`
    try {
      await rename(this.#path, aside)
      if (await this.#identity(aside) !== one) await link(aside, this.#path)
    } catch {
      // Somebody else was quicker.
    }
    await rm(aside, { force: true })
  }

  #pause(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const stop = (): void => {
        cancel()
        resolve()
      }
      const cancel = this.#clock.after(lockRetry, () => {
        signal.removeEventListener('abort', stop)
        resolve()
      })
      signal.addEventListener('abort', stop, { once: true })
    })
  }
}
