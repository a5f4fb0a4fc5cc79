import { Agent, fetch } from 'undici'
import { expectOk, type OpenMode } from './modes.ts'

export const open: OpenMode = ([port]) => {
  const dispatcher = new Agent({ connections: 128 })
  const url = `http://127.0.0.1:${port}/price/42`
  return {
    get: async () => {
      const response = await fetch(url, { dispatcher })
      expectOk(response.status)
      return response.text()
    },
    close: () => dispatcher.close(),
  }
}
