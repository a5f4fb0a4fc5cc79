import { detached, type Cancel, type Clock } from '../runtime/clock.ts'

type Ask = () => boolean | Promise<boolean>

/** Knows whether an instance is well: by what it was told, and by a function that it asks again and again. */
export class HealthWatch {
  readonly #ask: Ask | undefined
  readonly #interval: number
  readonly #clock: Clock
  readonly #onChange: (healthy: boolean) => void
  #told = true
  #found: boolean
  #cancel: Cancel = () => {}
  #stopped = false

  constructor(ask: Ask | undefined, interval: number, clock: Clock, onChange: (healthy: boolean) => void) {
    this.#ask = ask
    this.#interval = interval
    this.#clock = clock
    this.#onChange = onChange
    this.#found = ask === undefined
  }

  get healthy(): boolean {
    return this.#told && this.#found
  }

  say(healthy: boolean): void {
    this.#change(() => { this.#told = healthy })
  }

  /** Asks at once, and then every interval. Resolves at the first answer, or when the next one would be due. */
  async start(): Promise<void> {
    const ask = this.#ask
    if (ask) await new Promise<void>((resolve) => { void detached(() => this.#watch(ask, resolve)) })
  }

  stop(): void {
    this.#stopped = true
    this.#cancel()
  }

  /** Never asks twice at once. While an answer is overdue, it is no. */
  async #watch(ask: Ask, onFirst: () => void): Promise<void> {
    while (!this.#stopped) {
      let answered = false
      const due = this.#rest(() => {
        if (!answered) this.#change(() => { this.#found = false })
        onFirst()
      })
      const healthy = await this.#answer(ask)
      answered = true
      if (!this.#stopped) this.#change(() => { this.#found = healthy })
      onFirst()
      await due
    }
  }

  #rest(onDue: () => void): Promise<void> {
    return new Promise((resolve) => {
      this.#cancel = this.#clock.background(this.#interval, () => {
        onDue()
        resolve()
      })
    })
  }

  async #answer(ask: Ask): Promise<boolean> {
    try {
      return await ask()
    } catch {
      return false
    }
  }

  #change(change: () => void): void {
    const before = this.healthy
    change()
    if (this.healthy !== before) this.#onChange(this.healthy)
  }
}
