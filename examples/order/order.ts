/**
 * Order: what it does is in `app.ts`, how it reaches pricing in `mesh.ts`.
 *
 *     PRICING_V1=127.0.0.1:8082 PRICING_V2=127.0.0.1:8083 node --conditions=enmesh:source examples/order/order.ts
 *
 * With `APP_MESH=examples/app-mesh/terraform` it reaches pricing as that definition says.
 */
import { createServer } from 'node:http'
import { createMesh, type MeshInput } from 'enmesh'
import { withPassport } from 'enmesh/server'
import { readShop } from '../app-mesh/shop.ts'
import { registryFrom } from '../registry.ts'
import { listener, serve } from '../service.ts'
import { startTelemetry } from '../telemetry.ts'
import { orderApp } from './app.ts'
import { orderMesh, orderNodeMesh, type Weights } from './mesh.ts'

const { PRICING_V1 = '127.0.0.1:8082', PRICING_V2 = '127.0.0.1:8083', APP_MESH } = process.env

/** Makes the mesh's configuration, with the weights if somebody asks for new ones. */
const configured = async (): Promise<(weights?: Weights) => MeshInput> => {
  if (!APP_MESH) return (weights) => orderMesh({ v1: registryFrom(PRICING_V1), v2: registryFrom(PRICING_V2) }, weights)
  const document = await readShop(APP_MESH)
  return (weights) => orderNodeMesh(document, { 'pricing-v1': PRICING_V1.split(','), 'pricing-v2': PRICING_V2.split(',') }, weights)
}

const stopTelemetry = await startTelemetry('order')
const config = await configured()
const mesh = createMesh(config())

// New weights may come from anywhere: a file, a flag service, a control plane. Here the parent process sends them.
process.on('message', (weights: Weights) => { mesh.update(config(weights)) })

serve('order', createServer(withPassport(listener(orderApp(mesh)))), 8081, async () => {
  await mesh.close()
  await stopTelemetry()
})
