import { z } from 'zod'
import { accessLogConfig } from './access-log/config.ts'

/** Which groups of metrics there are. */
export const metricsConfig = z.strictObject({
  duration: z.union([z.literal('auto'), z.boolean()]).default('auto').describe(
    "http.client.request.duration. 'auto': unless somebody else listens to undici's own reports of requests, since OpenTelemetry's " +
    'instrumentation of undici measures the same.',
  ),
  requests: z.boolean().default(true).describe('http.client.active_requests.'),
  connections: z.boolean().default(true).describe('http.client.open_connections.'),
  mesh: z.boolean().default(true).describe('enmesh.*: attempts, retries, ejections, budgets, breakers, endpoints, registries.'),
})

/** Parsed form of `metricsConfig`. */
export type MetricsConfig = z.output<typeof metricsConfig>

/** What the mesh tells OpenTelemetry, and what it sends along with each request to a service. */
export const telemetryConfig = z.strictObject({
  tracing: z.boolean().default(true).describe(
    "Spans of calls and attempts, and their context in the application's own format on the wire; false leaves both to another " +
    'instrumentation. Formats of an inbound request that no propagator of the application speaks travel on in either case.',
  ),
  metrics: z.union([z.literal(false), metricsConfig], { error: 'must be false, or groups such as { connections: false }' }).prefault({})
    .describe('Metrics, by group; false switches all of them off.'),
  requestId: z.boolean().default(true).describe('Whether each call to a service carries an x-request-id, that of its inbound request where there is one.'),
  accessLog: accessLogConfig.optional().describe('Where each call to a service is written down when it is over; nowhere by default.'),
  deadline: z.boolean().default(true).describe('Whether each attempt tells the service the time left of the call, as x-envoy-expected-rq-timeout-ms.'),
})

/** Parsed form of `telemetryConfig`. */
export type TelemetryConfig = z.output<typeof telemetryConfig>
