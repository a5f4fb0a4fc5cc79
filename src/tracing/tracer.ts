import { ProxyTracerProvider, trace, type Tracer, type TracerProvider } from '@opentelemetry/api'

/** By this name and version the mesh is known to OpenTelemetry. */
export const scope = 'enmesh'
export const version = '0.1.0'

/** What stands where no SDK has been registered; the API shows it only this way. */
const absent = new ProxyTracerProvider().getDelegate()

const registered = (): TracerProvider => {
  const provider = trace.getTracerProvider() as TracerProvider & Partial<Pick<ProxyTracerProvider, 'getDelegate'>>
  return provider.getDelegate?.() ?? provider
}

let known: TracerProvider | undefined
let tracer: Tracer | undefined

/** The tracer of the SDK that the application has registered, whenever it did; `undefined` while there is none, so that nothing is prepared for nobody. */
export const currentTracer = (): Tracer | undefined => {
  const provider = registered()
  if (provider === absent) return undefined
  if (provider !== known) {
    known = provider
    tracer = provider.getTracer(scope, version)
  }
  return tracer
}
