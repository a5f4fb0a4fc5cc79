/**
 * The gateway without code of its own: requests go through to order as they are, and what the mesh decides is answered as a problem.
 *
 *     ORDER=127.0.0.1:8081 node --conditions=enmesh:source examples/gateway/ingress.ts
 */
import { createMesh } from 'enmesh'
import { createGateway } from 'enmesh/server'
import { registryFrom } from '../registry.ts'
import { serve } from '../service.ts'
import { startTelemetry } from '../telemetry.ts'
import { gatewayMesh } from './mesh.ts'

const { ORDER = '127.0.0.1:8081' } = process.env

const stopTelemetry = await startTelemetry('gateway')
const mesh = createMesh(gatewayMesh(registryFrom(ORDER)))
const gateway = createGateway(mesh, {
  routes: [
    { match: { path: { regex: '/orders/\\w+' }, method: 'GET' }, service: 'order.shop.local', rewrite: { host: 'order.shop.local' } },
    { match: { path: { exact: '/orders' }, method: 'POST' }, service: 'order.shop.local', rewrite: { host: 'order.shop.local' } },
  ],
  onProblem: ({ status, code, requestId }) => console.error(`${status} ${code} ${requestId ?? ''}`),
})

serve('gateway', gateway.server, 8080, async () => {
  await mesh.close()
  await stopTelemetry()
})
