import { request } from 'undici'
import { openMesh, service } from './mesh.ts'
import { expectOk, type OpenMode } from './modes.ts'

export const open: OpenMode = async (ports) => {
  const mesh = await openMesh(ports)
  const url = `${service}/price/42`
  return {
    get: async () => {
      const { statusCode, body } = await request(url, { dispatcher: mesh.dispatcher })
      expectOk(statusCode)
      return body.text()
    },
    close: () => mesh.close(),
  }
}
