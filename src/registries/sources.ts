import type { EndpointSpec } from '../core/endpoint.ts'
import type { Cancel } from '../runtime/clock.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { Guard } from './doubt.ts'
import { follow, type Following } from './follow.ts'
import type { Registry, Watch } from './registry.ts'

/** What is known of one registry among several. */
export interface Source {
  /** Its latest set; `undefined` before the first. */
  readonly set: readonly EndpointSpec[] | undefined
  /** Whether it is given up for now: it failed before it had a set, or has failed, or kept silent from the start, for longer than the patience. */
  readonly lost: boolean
}

/** How several registries are followed. */
export interface SourcesOptions {
  readonly runtime: Runtime
  /** Milliseconds for which one may fail, or keep silent at first, before it counts as lost. */
  readonly patience: number
  /** Which of their answers are held; without it none is. */
  readonly guard?: Guard
}

/**
 * Follows several registries, each with its own back-off and last known set, and yields what is known of them all whenever one of them has answered
 * or is lost. Their failures are told to the watch and end nothing. Ends when each of them has said all it had to say.
 */
export async function* sourcesOf(registries: readonly Registry[], watch: Watch, options: SourcesOptions): AsyncGenerator<readonly Source[]> {
  const news = new News()
  const sources = registries.map((registry) => new FollowedSource(registry, watch, options, news))
  const stop = (): void => news.tell(false)
  watch.signal.addEventListener('abort', stop, { once: true })
  void wakeAll(sources, watch)
  try {
    while (!watch.signal.aborted) {
      if (await news.next()) yield sources
      else if (sources.every(({ ended }) => ended)) return
    }
  } finally {
    watch.signal.removeEventListener('abort', stop)
    for (const source of sources) source.close()
  }
}

/** Hands on every look that is asked for. */
const wakeAll = async (sources: readonly FollowedSource[], { signal, wake }: Watch): Promise<void> => {
  try {
    while (!signal.aborted) {
      await wake.wait(Number.POSITIVE_INFINITY)
      for (const source of sources) source.wake()
    }
  } catch {
    // The watch has ended.
  }
}

/** Several things told before anybody listens are one piece of news. */
class News {
  #told = false
  #changed = false
  #listen = (): void => {}

  /** Tells that something happened, and whether it changed what is known. */
  tell(changed: boolean): void {
    this.#told = true
    this.#changed ||= changed
    this.#listen()
  }

  /** Resolves once something was told since the last time: whether that changed what is known. */
  async next(): Promise<boolean> {
    if (!this.#told) await new Promise<void>((resolve) => { this.#listen = resolve })
    const changed = this.#changed
    this.#told = this.#changed = false
    return changed
  }
}

class FollowedSource implements Source {
  set: readonly EndpointSpec[] | undefined = undefined
  lost = false
  /** Whether it has said all it had to say. */
  ended = false
  readonly #options: SourcesOptions
  readonly #news: News
  readonly #following: Following
  #cancel: Cancel | undefined

  constructor(registry: Registry, watch: Watch, options: SourcesOptions, news: News) {
    const { runtime, guard } = options
    this.#options = options
    this.#news = news
    this.#waitFor()
    this.#following = follow(registry, {
      runtime,
      ...(guard && { guard: () => guard }),
      onSet: (specs) => this.#answered(specs),
      onFailure: (error, retryIn) => {
        watch.failed?.(error, retryIn)
        if (this.set === undefined) this.#lose()
        else this.#waitFor()
      },
      onRecovered: () => watch.recovered?.(),
      onEnd: () => {
        this.ended = true
        news.tell(false)
      },
    })
  }

  #answered(specs: readonly EndpointSpec[]): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.set = specs
    this.lost = false
    this.#news.tell(true)
  }

  /** Lets it be lost when nothing is heard of it for as long as the patience lasts. */
  #waitFor(): void {
    this.#cancel ??= this.#options.runtime.clock.background(this.#options.patience, () => this.#lose())
  }

  #lose(): void {
    if (this.lost) return
    this.lost = true
    this.#news.tell(true)
  }

  wake(): void {
    this.#following.wake()
  }

  close(): void {
    this.#cancel?.()
    this.#following.close()
  }
}
