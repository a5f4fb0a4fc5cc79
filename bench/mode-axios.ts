import { Agent } from 'node:http'
import axios from 'axios'
import { lengthOf, type OpenMode } from './modes.ts'

/** With keep-alive and a timeout. It has neither retries nor a breaker of its own, and rejects for what is no 2xx by itself. */
export const open: OpenMode = ([port]) => {
  const httpAgent = new Agent({ keepAlive: true, maxSockets: 128 })
  const client = axios.create({ baseURL: `http://127.0.0.1:${port}`, httpAgent, timeout: 10_000 })
  return {
    text: async (path) => (await client.get<string>(path, { responseType: 'text' })).data,
    stream: async (path) => lengthOf((await client.get<AsyncIterable<Uint8Array>>(path, { responseType: 'stream' })).data),
    close: async () => httpAgent.destroy(),
  }
}
