/** What a process can be asked for, by name. */
export type Handlers = Readonly<Record<string, (argument: never) => unknown>>

/** A question to another process. */
export interface Question {
  readonly id: number
  readonly ask: string
  readonly argument: unknown
}

/** What came of a question: a value, or what went wrong. */
export interface Reply {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

const wordsOf = (error: unknown): string => error instanceof Error ? error.stack ?? error.message : String(error)

/** Answers what the process that started this one asks, and ends with it. */
export const answerParent = (handlers: Handlers): void => {
  const reply = (answer: Reply): void => {
    // Whoever asked may be gone by now, and nobody is left to be told.
    if (process.connected) process.send!(answer, () => {})
  }
  process.on('message', ({ id, ask, argument }: Question) => {
    void (async () => {
      try {
        reply({ id, value: await handlers[ask]!(argument as never) })
      } catch (error) {
        reply({ id, error: wordsOf(error) })
      }
    })()
  })
  process.once('disconnect', () => process.exit())
  reply({ id: 0 })
}
