/**
 * What telemetry costs a request: CPU in microseconds over the same mesh without any, on a network that answers at once.
 * First without an SDK, as most processes of a library's users run; then with one that samples every span and exports none.
 * Variants take turns inside each round, and each is set against the bare mesh of its own round.
 */
import { context, metrics, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import { TracerProvider, type SpanProcessor } from '@opentelemetry/sdk-trace'
import type { Attempt } from '../src/core/call.ts'
import { carry, type Passport } from '../src/core/passport.ts'
import { createMesh, type BodySink, type Mesh, type MeshInput, type Reply } from '../src/index.ts'
import { seededRandom } from '../src/testing/index.ts'
import { spreadOf } from '../src/compare/spread.ts'

const smoke = process.argv.includes('--smoke')
const rounds = smoke ? 1 : 31
const requests = smoke ? 200 : 10_000

/** A reply that is whole as soon as it is asked for. */
class InstantReply implements Reply {
  readonly attempt: Attempt
  readonly status = 200
  readonly statusText = 'OK'
  readonly headers = {}
  readonly rawHeaders = []

  constructor(attempt: Attempt) {
    this.attempt = attempt
  }

  pipe(sink: BodySink): void {
    this.attempt.end('complete')
    sink.end({})
  }

  pause(): void {}
  resume(): void {}
  discard(): void {}
  abort(): void {}
}

const answer = async (attempt: Attempt): Promise<Reply> => {
  const now = attempt.call.clock.now()
  attempt.sentAt = now
  attempt.headAt = now
  attempt.status = 200
  return new InstantReply(attempt)
}

type Telemetry = NonNullable<MeshInput['telemetry']>

const none = { tracing: false, metrics: false, requestId: false, deadline: false } as const satisfies Telemetry

const variants: Readonly<Record<string, Telemetry>> = {
  none,
  'none, once more': none,
  'request id': { ...none, requestId: true },
  'deadline': { ...none, deadline: true },
  'metrics': { ...none, metrics: {} },
  'tracing': { ...none, tracing: true },
  'all': {},
}

const open = (telemetry: Telemetry): Mesh => createMesh({
  services: { 'pricing.shop.local': { cluster: 'pricing', timeout: '10s' } },
  clusters: { pricing: { registry: { type: 'static', endpoints: ['10.0.0.1:8080', '10.0.0.2:8080', '10.0.0.3:8080'] } } },
  telemetry,
}, { transport: answer })

const send = (mesh: Mesh): Promise<void> => new Promise((resolve, reject) => {
  mesh.dispatcher.dispatch({ origin: 'http://pricing.shop.local', path: '/price/42', method: 'GET', headers: { accept: 'application/json' } }, {
    onRequestStart() {},
    onResponseStart() {},
    onResponseData() {},
    onResponseEnd: () => resolve(),
    onResponseError: (_, error) => reject(error),
  })
})

/** Microseconds of CPU for each request. */
const cost = async (mesh: Mesh): Promise<number> => {
  const before = process.cpuUsage()
  for (let i = 0; i < requests; i++) await send(mesh)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / requests
}

const passport: Passport = {
  requestId: '9f0a3c1e-6a2b-4c3d-8e4f-5a6b7c8d9e0f',
  headers: ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'tracestate', 'a=1', 'baggage', 'tenant=acme'],
  deadline: Number.POSITIVE_INFINITY,
}

const random = seededRandom(1)

const shuffled = <T>(items: readonly T[]): T[] =>
  items.map((item) => ({ item, at: random() })).sort((a, b) => a.at - b.at).map(({ item }) => item)

const measure = async (title: string): Promise<void> => {
  const meshes = Object.entries(variants).map(([name, telemetry]) => ({ name, mesh: open(telemetry), took: [] as number[] }))
  for (let round = -2; round < rounds; round++) {
    for (const { mesh, took } of shuffled(meshes)) {
      const each = await cost(mesh)
      if (round >= 0) took.push(each)
    }
  }
  const bare = meshes[0]!.took
  const written = (values: readonly number[]): string => {
    const { median, min, max } = spreadOf(values)
    return `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`
  }
  console.log(`\n${title}: µs of CPU per request, median (min–max) of ${rounds} rounds of ${requests}`)
  console.table(Object.fromEntries(meshes.map(({ name, took }) => [name, {
    'in all': written(took),
    'over none': written(took.map((each, round) => each - bare[round]!)),
  }])))
  for (const { mesh } of meshes) await mesh.close()
}

class IdleReader extends MetricReader {
  protected override async onShutdown(): Promise<void> {}
  protected override async onForceFlush(): Promise<void> {}
}

const exportsNothing: SpanProcessor = {
  onStart() {},
  onEnd() {},
  forceFlush: async () => {},
  shutdown: async () => {},
}

await measure('Without an SDK')
await carry(passport, () => measure('Without an SDK, for an inbound request with trace context'))
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
propagation.setGlobalPropagator(new W3CTraceContextPropagator())
trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [exportsNothing] }))
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [new IdleReader()] }))
await measure('With an SDK that samples every span')
