import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Figures } from './measure.ts'
import type { Part } from './player.ts'
import type { Play } from './study.ts'

/**
 * Threads that play, so many at once: each takes the next part in line as soon as it is free. What they find does not depend on how many there are,
 * since each part has a world and a seed of its own.
 */
export class Players {
  readonly #all: readonly Worker[]
  readonly #free: Worker[]
  readonly #waiting: ((worker: Worker) => void)[] = []

  constructor(count: number) {
    this.#all = Array.from({ length: count }, () => new Worker(new URL('player.ts', import.meta.url)))
    this.#free = [...this.#all]
  }

  readonly play: Play = async ({ name: scenario }, { name: algorithm }, seed) => {
    const worker = this.#free.pop() ?? await new Promise<Worker>((resolve) => this.#waiting.push(resolve))
    const part: Part = { scenario, algorithm, seed }
    worker.postMessage(part)
    // Rejects when the thread ends by an error.
    const [figures] = await once(worker, 'message') as [readonly Figures[]]
    const next = this.#waiting.shift()
    if (next) next(worker)
    else this.#free.push(worker)
    return figures
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((worker) => worker.terminate()))
  }
}
