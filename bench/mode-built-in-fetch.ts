import { expectOk, type OpenMode } from './modes.ts'

// No import of undici here: it would put its own dispatcher under the platform's fetch.
export const open: OpenMode = ([port]) => {
  const url = `http://127.0.0.1:${port}/price/42`
  return {
    get: async () => {
      const response = await fetch(url)
      expectOk(response.status)
      return response.text()
    },
    close: async () => {},
  }
}
