import { openMesh, service } from './mesh.ts'
import { expectOk, type OpenMode } from './modes.ts'

export const open: OpenMode = async (ports) => {
  const mesh = await openMesh(ports)
  const url = `${service}/price/42`
  return {
    get: async () => {
      const response = await mesh.fetch(url)
      expectOk(response.status)
      return response.text()
    },
    close: () => mesh.close(),
  }
}
