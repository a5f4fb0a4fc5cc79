/**
 * Gateway: what it does is in `app.ts`, how it reaches order in `mesh.ts`.
 *
 *     ORDER=127.0.0.1:8081 node --conditions=enmesh:source examples/gateway/gateway.ts
 *
 * With `APP_MESH=examples/app-mesh/terraform` it reaches order as that definition says.
 */
import { createServer } from 'node:http'
import { createMesh } from 'enmesh'
import { withPassport } from 'enmesh/server'
import { nodeMesh, readShop } from '../app-mesh/shop.ts'
import { registryFrom } from '../registry.ts'
import { listener, serve } from '../service.ts'
import { startTelemetry } from '../telemetry.ts'
import { gatewayApp } from './app.ts'
import { gatewayMesh } from './mesh.ts'

const { ORDER = '127.0.0.1:8081', APP_MESH } = process.env

const stopTelemetry = await startTelemetry('gateway')
const mesh = createMesh(APP_MESH ? nodeMesh(await readShop(APP_MESH), 'gateway', { order: ORDER.split(',') }) : gatewayMesh(registryFrom(ORDER)))

serve('gateway', createServer(withPassport(listener(gatewayApp(mesh)))), 8080, async () => {
  await mesh.close()
  await stopTelemetry()
})
