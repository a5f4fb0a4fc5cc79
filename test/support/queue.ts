/** What happened, in order, for a test that waits for it whether it comes late or came already. */
export class Queue<T> {
  readonly #items: T[] = []
  readonly #takers: ((item: T) => void)[] = []

  put(item: T): void {
    const taker = this.#takers.shift()
    if (taker) taker(item)
    else this.#items.push(item)
  }

  /** The next one, once it is there. */
  take(): Promise<T> {
    const item = this.#items.shift()
    return item === undefined ? new Promise((resolve) => this.#takers.push(resolve)) : Promise.resolve(item)
  }

  /** The next one that fits; those before it are dropped. */
  async takeWhere(fits: (item: T) => boolean): Promise<T> {
    for (;;) {
      const item = await this.take()
      if (fits(item)) return item
    }
  }

  /** Those that nobody took. */
  get left(): readonly T[] {
    return this.#items
  }
}
