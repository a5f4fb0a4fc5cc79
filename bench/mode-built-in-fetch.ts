import { expectOk, lengthOf, type OpenMode } from './modes.ts'

// No import of undici here: it would put its own dispatcher under the platform's fetch.
export const open: OpenMode = ([port]) => {
  const get = async (path: string): Promise<Response> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`)
    expectOk(response.status)
    return response
  }
  return {
    text: async (path) => (await get(path)).text(),
    stream: async (path) => lengthOf((await get(path)).body!),
    close: async () => {},
  }
}
