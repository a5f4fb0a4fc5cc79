import { Agent, request, type Dispatcher } from 'undici'
import { expectOk, lengthOf, type OpenMode } from './modes.ts'

export const open: OpenMode = ([port]) => {
  const dispatcher = new Agent({ connections: 128 })
  const get = async (path: string): Promise<Dispatcher.ResponseData['body']> => {
    const { statusCode, body } = await request(`http://127.0.0.1:${port}${path}`, { dispatcher })
    expectOk(statusCode)
    return body
  }
  return {
    text: async (path) => (await get(path)).text(),
    stream: async (path) => lengthOf(await get(path)),
    close: () => dispatcher.close(),
  }
}
