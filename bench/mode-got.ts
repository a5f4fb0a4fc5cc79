import { Agent } from 'node:http'
import got from 'got'
import { lengthOf, type OpenMode } from './modes.ts'

/** With keep-alive, a timeout and its own retries; it has no breaker, and rejects for what is no 2xx by itself. */
export const open: OpenMode = ([port]) => {
  const http = new Agent({ keepAlive: true, maxSockets: 128 })
  const client = got.extend({ agent: { http }, retry: { limit: 2 }, timeout: { request: 10_000 } })
  const url = (path: string): string => `http://127.0.0.1:${port}${path}`
  return {
    text: (path) => client(url(path)).text(),
    stream: (path) => lengthOf(client.stream(url(path))),
    close: async () => http.destroy(),
  }
}
