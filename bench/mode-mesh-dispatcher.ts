import { request, type Dispatcher } from 'undici'
import { forInbound, openMesh, service } from './mesh.ts'
import { expectOk, lengthOf, type OpenMode } from './modes.ts'

export const open: OpenMode = async (ports) => {
  const mesh = await openMesh(ports)
  const get = async (path: string): Promise<Dispatcher.ResponseData['body']> => {
    const { statusCode, body } = await request(`${service}${path}`, { dispatcher: mesh.dispatcher })
    expectOk(statusCode)
    return body
  }
  return {
    text: async (path) => (await get(path)).text(),
    stream: async (path) => lengthOf(await get(path)),
    within: forInbound,
    close: () => mesh.close(),
  }
}
