import { carry, type Passport } from '../src/core/passport.ts'
import { createMesh } from '../src/index.ts'

/** The service that the mesh modes dial. */
export const service = 'http://pricing.shop.local'

/**
 * A mesh with every default on, and on top what a real service has: a route with a condition, a split, a choice of endpoints.
 * What is on by default and costs something is written out, so that a changed default does not change what is measured.
 * No OpenTelemetry SDK is registered, as in most processes of a library's users.
 */
export const openMesh = async ([first, second, third]: readonly number[]): Promise<ReturnType<typeof createMesh>> => {
  const policies = { balancer: { type: 'peak-ewma' }, breaker: {}, outlier: {} } as const
  const mesh = createMesh({
    services: {
      'pricing.shop.local': {
        routes: [
          { match: { path: { prefix: '/' }, headers: { 'x-tenant': 'acme' } }, to: 'pricing-v2' },
          {
            match: { path: { prefix: '/price' }, method: 'GET' },
            to: { 'pricing-v1': 90, 'pricing-v2': 10 },
            timeout: '15s',
            retry: { attempts: 3 },
          },
        ],
      },
    },
    clusters: {
      'pricing-v1': { registry: { type: 'static', endpoints: [`127.0.0.1:${first}`, `127.0.0.1:${second}`] }, ...policies },
      'pricing-v2': { registry: { type: 'static', endpoints: [`127.0.0.1:${third}`] }, ...policies },
    },
    telemetry: { tracing: true, metrics: {}, requestId: true, deadline: true },
  })
  await mesh.ready()
  return mesh
}

const passport: Passport = {
  requestId: '9f0a3c1e-6a2b-4c3d-8e4f-5a6b7c8d9e0f',
  headers: ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'baggage', 'tenant=acme'],
  deadline: Number.POSITIVE_INFINITY,
}

/** Sends for an inbound request that brought trace context, so that it travels on with each call. What letting one in costs is the server's, not the call's. */
export const forInbound = <T>(send: () => T): T => carry(passport, send)
