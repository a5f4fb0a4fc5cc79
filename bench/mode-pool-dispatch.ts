import { Pool, type Dispatcher } from 'undici'
import { expectOk, type OpenMode } from './modes.ts'

/** The least that undici's own pool can be asked to do: one handler with nothing around it. */
class Handler implements Dispatcher.DispatchHandler {
  readonly ended: Promise<void>
  readonly #take: (chunk: Buffer) => void
  #resolve!: () => void
  #reject!: (error: unknown) => void

  constructor(take: (chunk: Buffer) => void) {
    this.#take = take
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  onRequestStart(): void {}

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    expectOk(status)
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#take(chunk)
  }

  onResponseEnd(): void {
    this.#resolve()
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#reject(error)
  }
}

export const open: OpenMode = ([port]) => {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 128 })
  const get = (path: string, take: (chunk: Buffer) => void): Promise<void> => {
    const handler = new Handler(take)
    pool.dispatch({ path, method: 'GET' }, handler)
    return handler.ended
  }
  return {
    text: async (path) => {
      let text = ''
      await get(path, (chunk) => { text += chunk.toString() })
      return text
    },
    stream: async (path) => {
      let length = 0
      await get(path, (chunk) => { length += chunk.length })
      return length
    },
    close: () => pool.close(),
  }
}
