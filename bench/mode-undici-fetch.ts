import { Agent, fetch, type Response } from 'undici'
import { expectOk, lengthOf, type OpenMode } from './modes.ts'

export const open: OpenMode = ([port]) => {
  const dispatcher = new Agent({ connections: 128 })
  const get = async (path: string): Promise<Response> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { dispatcher })
    expectOk(response.status)
    return response
  }
  return {
    text: async (path) => (await get(path)).text(),
    stream: async (path) => lengthOf((await get(path)).body!),
    close: () => dispatcher.close(),
  }
}
