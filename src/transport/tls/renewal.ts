import { createHash } from 'node:crypto'
import { detached, type Cancel, type Clock } from '../../runtime/clock.ts'
import { longestSecret, regularFile } from '../../runtime/regular-file.ts'
import { quiet, WatchedFile } from '../../runtime/watched-file.ts'

/** Milliseconds between looks at files of which the system tells no change. */
const poll = 10_000

/** Milliseconds that files which do not fit are given to become whole: a certificate and its key are written one after the other. */
const patience = 1_000

/** What is done with files that are renewed. */
export interface Renewing<Read> {
  readonly clock: Clock
  /** Reads all of them; throws where they cannot be used. */
  readonly read: () => Read
  readonly onRead: (read: Read) => void
  readonly onFailure: (error: unknown) => void
}

// Of what is in a key, not even the watch keeps anything.
const fingerprint = async (file: string): Promise<string> => createHash('sha256').update(await regularFile(file, longestSecret)).digest('base64')

/**
 * Files that belong together, read again once one of them has changed and all have stood still for a moment. What cannot be used is told once,
 * and what was read before stays. Never keeps the process alive.
 */
export class Renewal<Read> {
  readonly #files: readonly WatchedFile[]
  readonly #renewing: Renewing<Read>
  #cancel: Cancel = () => {}
  #closed = false
  #failure: string | undefined

  constructor(files: readonly string[], renewing: Renewing<Read>) {
    this.#renewing = renewing
    this.#files = detached(() => files.map((file) => new WatchedFile(file, () => fingerprint(file), renewing.clock)))
    if (files.length > 0) detached(() => { void this.#follow() })
  }

  async #follow(): Promise<void> {
    for (let before: readonly unknown[] = []; !this.#closed;) {
      const found = await Promise.all(this.#files.map((file) => file.settled()))
      if (this.#closed) return
      if (found.some((one, index) => one !== before[index])) await this.#look()
      before = found
      await this.#change()
      await this.#pause(quiet)
    }
  }

  async #look(): Promise<void> {
    if (this.#try() === undefined) return
    await this.#pause(patience)
    if (this.#closed) return
    const error = this.#try()
    if (error === undefined || error.message === this.#failure) return
    this.#failure = error.message
    this.#renewing.onFailure(error)
  }

  #try(): Error | undefined {
    try {
      const read = this.#renewing.read()
      this.#failure = undefined
      this.#renewing.onRead(read)
      return undefined
    } catch (error) {
      return error as Error
    }
  }

  async #change(): Promise<void> {
    await Promise.race([...this.#files.map((file) => file.stirred()), this.#pause(poll)])
    this.#cancel()
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (!this.#closed) this.#cancel = this.#renewing.clock.background(ms, resolve)
    })
  }

  /** Ends it: what it waits for never comes, and all of it is collected. */
  close(): void {
    this.#closed = true
    this.#cancel()
    for (const file of this.#files) file.close()
  }
}
