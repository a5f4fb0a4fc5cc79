import { forInbound, openMesh, service } from './mesh.ts'
import { expectOk, lengthOf, type OpenMode } from './modes.ts'

export const open: OpenMode = async (ports) => {
  const mesh = await openMesh(ports)
  const get = async (path: string): Promise<Response> => {
    const response = await mesh.fetch(`${service}${path}`)
    expectOk(response.status)
    return response
  }
  return {
    text: async (path) => (await get(path)).text(),
    stream: async (path) => lengthOf((await get(path)).body!),
    within: forInbound,
    close: () => mesh.close(),
  }
}
