import { Agent, request } from 'undici'
import { expectOk, type OpenMode } from './modes.ts'

export const open: OpenMode = ([port]) => {
  const dispatcher = new Agent({ connections: 128 })
  const url = `http://127.0.0.1:${port}/price/42`
  return {
    get: async () => {
      const { statusCode, body } = await request(url, { dispatcher })
      expectOk(statusCode)
      return body.text()
    },
    close: () => dispatcher.close(),
  }
}
