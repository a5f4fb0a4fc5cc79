import { detached, type Cancel, type Clock } from '../runtime/clock.ts'

type Ask = () => boolean | Promise<boolean>

const longestReason = 200

/** Knows whether an instance is well: by what it was told, and by a function that it asks again and again. */
export class HealthWatch {
  readonly #ask: Ask | undefined
  readonly #interval: number
  readonly #clock: Clock
  readonly #onChange: (healthy: boolean) => void
  #told = true
  /** What speaks against it by what was asked. */
  #complaint: string | undefined
  #cancel: Cancel = () => {}
  #stopped = false

  constructor(ask: Ask | undefined, interval: number, clock: Clock, onChange: (healthy: boolean) => void) {
    this.#ask = ask
    this.#interval = interval
    this.#clock = clock
    this.#onChange = onChange
    if (ask) this.#complaint = 'health() has not answered yet'
  }

  get healthy(): boolean {
    return this.unwell === undefined
  }

  /** In words why it is not well; `undefined` while it is. */
  get unwell(): string | undefined {
    return this.#told ? this.#complaint : 'healthy(false) was said'
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
        if (!answered) this.#change(() => { this.#complaint = `health() gave no answer within ${this.#interval} ms` })
        onFirst()
      })
      const complaint = await this.#answer(ask)
      answered = true
      if (!this.#stopped) this.#change(() => { this.#complaint = complaint })
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

  /** What speaks against it; `undefined` where nothing does. What is no boolean says nothing, so it is not taken for a yes. */
  async #answer(ask: Ask): Promise<string | undefined> {
    try {
      const answer: unknown = await ask()
      if (answer === true) return undefined
      return answer === false ? 'health() said so' : `health() answered with ${answer === null ? 'null' : `type ${typeof answer}`}: return true or false`
    } catch (error) {
      return `health() threw: ${error instanceof Error ? error.message : String(error)}`.slice(0, longestReason)
    }
  }

  #change(change: () => void): void {
    const before = this.healthy
    change()
    if (this.healthy !== before) this.#onChange(this.healthy)
  }
}
