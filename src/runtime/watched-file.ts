import { watch, type FSWatcher } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import type { Cancel, Clock } from './clock.ts'

/** How long a file has to stay the same before it is believed, in milliseconds. */
export const quiet = 100

/** What a look at a file found: its text, or why there is none. */
export type Found = { readonly text: string, readonly error?: unknown } | { readonly text?: undefined, readonly error: unknown }

const same = (a: Found | undefined, b: Found): boolean =>
  a !== undefined && a.text === b.text && (a.text !== undefined || String(a.error) === String(b.error))

/**
 * A file that may change at any time and in any way: written in pieces, replaced by deleting, renaming or swapping links (as Kubernetes does).
 * What it holds is believed once two looks in a row, 100 ms apart, find the same. The system tells when to look, where it can.
 */
export class WatchedFile {
  readonly #file: string
  readonly #read: () => Promise<string>
  readonly #clock: Clock
  #believed: Found | undefined
  #watcher: FSWatcher | undefined
  /** Whether the system told of a change since the last look, and who waits for that. */
  #stirred = false
  #wake = (): void => {}
  /** Ends a wait between two looks. */
  #hurry = (): void => {}
  #closed = false

  /** Watches at once; `read` has the text, or rejects. Never keeps the process alive. */
  constructor(file: string, read: () => Promise<string>, clock: Clock) {
    this.#file = file
    this.#read = read
    this.#clock = clock
    this.#listen()
  }

  /** What is to be believed now: the same object as before if nothing has changed. Once it is closed, whatever was found last, at once. */
  async settled(): Promise<Found> {
    const told = this.#stirred || this.#believed === undefined
    for (let before = this.#believed; ;) {
      this.#stirred = false
      const found = await this.#read().then((text) => ({ text }), (error: unknown) => ({ error }))
      if (this.#closed) return found
      if (same(before, found)) return this.#believe(found, told)
      before = found
      await this.#pause()
    }
  }

  #believe(found: Found, told: boolean): Found {
    if (this.#believed && same(this.#believed, found)) return this.#believed
    this.#believed = found
    // The system kept silent of a change: it may watch a directory that is not the one of this path any more.
    if (!told) this.#listen()
    return found
  }

  /** Resolves when the system tells of a change; at once if it has since the last look. Only the latest of several waits is answered. */
  stirred(): Promise<void> {
    return this.#stirred ? Promise.resolve() : new Promise((resolve) => { this.#wake = resolve })
  }

  /** Stops watching; whoever waits for a look has it at once. */
  close(): void {
    this.#closed = true
    this.#watcher?.close()
    this.#hurry()
  }

  #pause(): Promise<void> {
    if (this.#closed) return Promise.resolve()
    return new Promise((resolve) => {
      const cancel: Cancel = this.#clock.background(quiet, resolve)
      this.#hurry = () => {
        cancel()
        resolve()
      }
    })
  }

  /** Listens to the directory and not to the file, which may be replaced. Without the system's help, polls remain. */
  #listen(): void {
    this.#watcher?.close()
    const name = basename(this.#file)
    try {
      this.#watcher = watch(dirname(resolve(this.#file)), { persistent: false }, (_, changed) => {
        // Kubernetes swaps the link `..data`, behind which the file lies.
        if (changed !== null && changed !== name && !changed.startsWith('..')) return
        this.#stirred = true
        this.#wake()
      })
      this.#watcher.on('error', () => this.#watcher?.close())
    } catch {
      this.#watcher = undefined
    }
  }
}
