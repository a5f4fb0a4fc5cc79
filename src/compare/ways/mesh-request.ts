import { request } from 'undici'
import { createMesh } from '../../mesh/mesh.ts'
import { answerOf, expectOk, servedByHeader, versionHeader, type OpenWay } from './way.ts'

/** `undici.request` with `mesh.dispatcher`. */
export const open: OpenWay = async ({ definition, service }) => {
  const mesh = createMesh(definition)
  const { dispatcher } = mesh
  await mesh.ready()
  return {
    async send(path) {
      const { statusCode, body } = await request(`${service}${path}`, { dispatcher })
      const read = (await body.text()).length
      expectOk(statusCode)
      return read
    },
    async look(path, signal) {
      const { statusCode, headers, body } = await request(`${service}${path}`, { dispatcher, signal })
      await body.text()
      return answerOf(statusCode, headers[servedByHeader], headers[versionHeader])
    },
    apply: ({ definition }) => { mesh.update(definition) },
    close: () => mesh.close(),
  }
}
