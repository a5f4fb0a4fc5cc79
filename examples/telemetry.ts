/**
 * OpenTelemetry for the services of the shop, by environment, as for any other service:
 *
 *     OTEL_TRACES_EXPORTER=console                          prints each span
 *     OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318     sends them to a collector
 *
 * Without either nothing is loaded. The mesh and `enmesh/server` find the SDK by themselves, whether it is started before them or after.
 */

/** Starts the SDK if the environment asks for it; the returned function sends what is left and stops it. */
export const startTelemetry = async (service: string): Promise<() => Promise<void>> => {
  const { OTEL_TRACES_EXPORTER, OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME = service } = process.env
  if (OTEL_TRACES_EXPORTER === undefined && OTEL_EXPORTER_OTLP_ENDPOINT === undefined) return async () => {}
  // Traces are all that the shop tells unless it is asked for more; the SDK would look for a collector of the rest.
  process.env['OTEL_METRICS_EXPORTER'] ??= 'none'
  process.env['OTEL_LOGS_EXPORTER'] ??= 'none'
  const { NodeSDK } = await import('@opentelemetry/sdk-node')
  // What it reads of the environment beside these: OTEL_PROPAGATORS, OTEL_TRACES_SAMPLER and many more.
  const sdk = new NodeSDK({ serviceName: OTEL_SERVICE_NAME })
  sdk.start()
  return () => sdk.shutdown()
}
