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
import { quiet, WatchedFile, type Found } from '../runtime/watched-file.ts'
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

class FileWatch {
  readonly #mesh: Mesh
  readonly #inside: Inside
  readonly #path: string
  readonly #options: WatchOptions
  readonly #file: WatchedFile
  /** What was taken over or refused last. */
  #judged: Found | undefined
  /** Whether that was refused. */
  #refused = false
  #cancel: Cancel = () => {}
  #stopped = false

  constructor(mesh: Mesh, inside: Inside, path: string, options: WatchOptions) {
    this.#mesh = mesh
    this.#inside = inside
    this.#path = path
    this.#options = options
    this.#file = detached(() => new WatchedFile(path, () => textOf(path), inside.runtime.clock))
    inside.closing.addEventListener('abort', this.stop)
    detached(() => { void this.#follow() })
  }

  readonly stop = (): void => {
    this.#stopped = true
    this.#cancel()
    this.#file.close()
    this.#inside.closing.removeEventListener('abort', this.stop)
  }

  // Once it is stopped, what it waits for never comes, and all of it is collected.
  async #follow(): Promise<void> {
    for (;;) {
      const found = await this.#file.settled()
      if (this.#stopped) return
      if (found !== this.#judged) {
        this.#judged = found
        await this.#judge(found)
      }
      if (this.#stopped) return
      await this.#change()
      await this.#pause(quiet)
    }
  }

  async #judge({ text, error }: Found): Promise<void> {
    if (text === undefined) return this.#refuse(error)
    const { env = process.env } = this.#options
    const loaded = await read(this.#path, text, this.#inside.families, env).catch((error: unknown) => this.#refuse(error))
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

  /** Resolves when the system tells of a change, or when it is time to look anyway. */
  async #change(): Promise<void> {
    const { poll = 10_000 } = this.#options
    await Promise.race([this.#file.stirred(), this.#pause(poll)])
    this.#cancel()
  }
}
