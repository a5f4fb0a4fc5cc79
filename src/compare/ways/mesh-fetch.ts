import { createMesh } from '../../mesh/mesh.ts'
import { answerOf, expectOk, servedByHeader, versionHeader, type OpenWay } from './way.ts'

/** `mesh.fetch`. */
export const open: OpenWay = async ({ definition, service }) => {
  const mesh = createMesh(definition)
  await mesh.ready()
  return {
    async send(path) {
      const response = await mesh.fetch(`${service}${path}`)
      expectOk(response.status)
      return (await response.text()).length
    },
    async look(path, signal) {
      const response = await mesh.fetch(`${service}${path}`, { signal })
      await response.text()
      return answerOf(response.status, response.headers.get(servedByHeader), response.headers.get(versionHeader))
    },
    apply: ({ definition }) => { mesh.update(definition) },
    close: () => mesh.close(),
  }
}
