import { watch, type FSWatcher } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Balancer } from '../balancers/balancer.ts'
import type { AnyKind } from '../core/family.ts'
import { publish } from '../core/events.ts'
import type { AnyMatcherKind } from '../matchers/matcher.ts'
import type { MeshInput } from '../mesh/config.ts'
import { didYouMean } from '../mesh/faults.ts'
import { closed, insideOf, type Inside, type Mesh } from '../mesh/mesh.ts'
import type { Registry } from '../registries/registry.ts'
import { detached, type Cancel } from '../runtime/clock.ts'
import { pathOf, read, textOf } from './load.ts'
import type { Environment } from './substitute.ts'

/** How a file is watched. */
export interface WatchOptions {
  /** What `${NAME}` stands for; `process.env` by default. */
  readonly env?: Environment
  /**
   * Milliseconds between looks at the file when the system tells of no change: a whole number above 0, 10 000 by default. Changes are told at once where the
   * system can; on file systems of a network it often cannot.
   */
  readonly poll?: number
  /**
   * Hears each error of a file that could not be taken over, as the mesh's event `config-rejected` does. Where nobody hears of either,
   * the process warns (`process.emitWarning`).
   */
  readonly onError?: (error: unknown) => void
}

/**
 * Keeps a mesh as a file says: looks at it now, and takes every change over with `mesh.update`. The returned function stops that,
 * closing the mesh does too, and the process is not kept alive by it.
 *
 * A change is taken once the file has been the same for a moment (two looks, 100 ms apart), so half-written files and
 * files that are replaced by deleting, renaming or swapping links (as Kubernetes does) do no harm. A file with faults is reported with
 * `config-rejected` and to `onError`, the configuration in use stays, and the next good version is taken. What changes
 * nothing of the configuration, comments for instance, is not applied. Files that it names, renewed certificates for instance, are
 * not watched: `mesh.update` with the same configuration reads them again.
 *
 * Reads what `loadConfig` reads, with the mesh's own kinds. A changed module is run afresh, what it imports is not,
 * and Node keeps each version in memory. Throws a `MeshError` with ENMESH_CLOSED for a mesh that is closed, and a `TypeError`
 * for options that it cannot use.
 */
export const watchConfig = <R extends AnyKind<Registry>, B extends AnyKind<Balancer>, M extends AnyMatcherKind>(
  mesh: Mesh<R, B, M>,
  path: string | URL,
  options: WatchOptions = {},
): (() => void) => {
  const inside = insideOf(mesh)
  assertUsable(options)
  if (inside.closing.aborted) throw closed('watchConfig()')
  const watch = new FileWatch(mesh as unknown as Mesh, inside, pathOf(path), options)
  return () => watch.stop()
}

const optionNames: readonly string[] = ['env', 'poll', 'onError'] satisfies (keyof WatchOptions)[]

const assertUsable = (options: WatchOptions): void => {
  const unknown = Object.keys(options).find((name) => !optionNames.includes(name))
  if (unknown !== undefined) throw new TypeError(`watchConfig has no option '${unknown}': ${didYouMean(unknown, optionNames)}`)
  const { poll } = options
  if (poll === undefined || (Number.isSafeInteger(poll) && poll > 0)) return
  const found = typeof poll === 'string' ? 'a string' : String(poll)
  throw new TypeError(`watchConfig's option 'poll' must be a whole number of milliseconds above 0, not ${found}: write 10_000 for ten seconds`)
}

/** How long a file has to stay the same before it is believed. */
const quiet = 100

/** What a look at the file found: its text, or why there is none. */
type Found = { readonly text: string, readonly error?: unknown } | { readonly text?: undefined, readonly error: unknown }

const same = (a: Found | undefined, b: Found): boolean =>
  a !== undefined && a.text === b.text && (a.text !== undefined || String(a.error) === String(b.error))

class FileWatch {
  readonly #mesh: Mesh
  readonly #inside: Inside
  readonly #file: string
  readonly #options: WatchOptions
  /** What was taken over or refused last. */
  #judged: Found | undefined
  /** Whether that was refused. */
  #refused = false
  #watcher: FSWatcher | undefined
  #cancel: Cancel = () => {}
  /** Whether the system told of a change since the last look, and who waits for that. */
  #stirred = false
  #wake = (): void => {}
  #stopped = false

  constructor(mesh: Mesh, inside: Inside, file: string, options: WatchOptions) {
    this.#mesh = mesh
    this.#inside = inside
    this.#file = file
    this.#options = options
    inside.closing.addEventListener('abort', this.stop)
    detached(() => {
      this.#listen()
      void this.#follow()
    })
  }

  readonly stop = (): void => {
    this.#stopped = true
    this.#cancel()
    this.#watcher?.close()
    this.#inside.closing.removeEventListener('abort', this.stop)
  }

  // Once it is stopped, what it waits for never comes, and all of it is collected.
  async #follow(): Promise<void> {
    let told = true
    for (;;) {
      const found = await this.#settled()
      if (this.#stopped) return
      if (!same(this.#judged, found)) {
        this.#judged = found
        // The system kept silent of a change: it may watch a directory that is not the one of this path any more.
        if (!told) this.#listen()
        await this.#judge(found)
      }
      if (this.#stopped) return
      told = await this.#change()
      await this.#pause(quiet)
    }
  }

  /** What is to be believed: what was judged already, or the same thing twice in a row. */
  async #settled(): Promise<Found> {
    for (let before = this.#judged; ;) {
      this.#stirred = false
      const found = await textOf(this.#file).then((text) => ({ text }), (error: unknown) => ({ error }))
      if (same(before, found) || this.#stopped) return found
      before = found
      await this.#pause(quiet)
    }
  }

  async #judge({ text, error }: Found): Promise<void> {
    if (text === undefined) return this.#refuse(error)
    const { env = process.env } = this.#options
    const loaded = await read(this.#file, text, this.#inside.families, env).catch((error: unknown) => this.#refuse(error))
    if (!loaded || this.#stopped) return
    // After a refusal it is told that the file is good again, though it may be the one from before.
    if (!this.#refused && isDeepStrictEqual(loaded.config, this.#inside.parsed())) return
    try {
      this.#mesh.update(loaded.input as MeshInput)
      this.#refused = false
    } catch (error) {
      // The mesh has published it.
      this.#report(error)
    }
  }

  #refuse(error: unknown): void {
    if (this.#stopped) return
    publish(this.#inside.runtime, 'config-rejected', { error })
    this.#report(error)
  }

  #report(error: unknown): void {
    this.#refused = true
    if (!this.#options.onError && !this.#inside.runtime.channels.heard('config-rejected')) {
      process.emitWarning(error instanceof Error ? error.message : String(error), 'EnmeshWarning')
    }
    // Out of here, so that one that throws does not end the watch.
    queueMicrotask(() => this.#options.onError?.(error))
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (!this.#stopped) this.#cancel = this.#inside.runtime.clock.background(ms, resolve)
    })
  }

  /** Resolves when the system tells of a change, to true, or when it is time to look anyway, to false. */
  async #change(): Promise<boolean> {
    if (this.#stirred) return true
    const told = new Promise<boolean>((resolve) => { this.#wake = () => resolve(true) })
    const { poll = 10_000 } = this.#options
    const change = await Promise.race([told, this.#pause(poll).then(() => false)])
    this.#cancel()
    return change
  }

  /** Listens to the directory and not to the file, which may be replaced. Without the system's help the polls remain. */
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
