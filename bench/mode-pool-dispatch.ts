import { Pool, type Dispatcher } from 'undici'
import { expectOk, type OpenMode } from './modes.ts'

/** The least that undici's own pool can be asked to do: one handler with nothing around it. */
class TextHandler implements Dispatcher.DispatchHandler {
  readonly text: Promise<string>
  #resolve!: (text: string) => void
  #reject!: (error: unknown) => void
  #text = ''

  constructor() {
    this.text = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  onRequestStart(): void {}

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    expectOk(status)
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#text += chunk.toString()
  }

  onResponseEnd(): void {
    this.#resolve(this.#text)
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#reject(error)
  }
}

export const open: OpenMode = ([port]) => {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 128 })
  return {
    get: () => {
      const handler = new TextHandler()
      pool.dispatch({ path: '/price/42', method: 'GET' }, handler)
      return handler.text
    },
    close: () => pool.close(),
  }
}
