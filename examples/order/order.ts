/**
 * Order: what it does is in `app.ts`, how it reaches pricing in `mesh.ts`.
 *
 *     PRICING_V1=127.0.0.1:8082 PRICING_V2=127.0.0.1:8083 node --conditions=enmesh:source examples/order/order.ts
 */
import { createServer } from 'node:http'
import { createMesh } from 'enmesh'
import { withPassport } from 'enmesh/server'
import { registryFrom } from '../registry.ts'
import { listener, serve } from '../service.ts'
import { startTelemetry } from '../telemetry.ts'
import { orderApp } from './app.ts'
import { orderMesh } from './mesh.ts'

const { PRICING_V1 = '127.0.0.1:8082', PRICING_V2 = '127.0.0.1:8083' } = process.env
const pricing = { v1: registryFrom(PRICING_V1), v2: registryFrom(PRICING_V2) }

const stopTelemetry = await startTelemetry('order')
const mesh = createMesh(orderMesh(pricing))

// New weights may come from anywhere: a file, a flag service, a control plane. Here the parent process sends them.
process.on('message', (weights: Record<string, number>) => { mesh.update(orderMesh(pricing, weights)) })

serve('order', createServer(withPassport(listener(orderApp(mesh)))), 8081, async () => {
  await mesh.close()
  await stopTelemetry()
})
