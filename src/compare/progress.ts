/** Where progress is written to. */
interface Sink {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

/** Tells how far something is: on a terminal in one line that is written over, elsewhere nothing but every fiftieth, so that a log shows that it goes on. */
export const progressOf = (sink: Sink): { readonly say: (text: string) => void, readonly end: () => void } => {
  let said = 0
  return {
    say(text) {
      if (sink.isTTY) sink.write(`\r\u001b[K${text.slice(0, (sink.columns ?? 80) - 1)}`)
      else if (said++ % 50 === 0) sink.write(`${text}\n`)
    },
    end() { if (sink.isTTY) sink.write('\r\u001b[K') },
  }
}
