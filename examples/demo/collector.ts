import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

/** One span as the demo keeps it. */
export interface SpanRecord {
  readonly trace: string
  readonly id: string
  /** Empty for the first of a trace. */
  readonly parent: string
  /** Spans that it names as belonging to it. */
  readonly links: readonly string[]
  /** The process that made it. */
  readonly service: string
  readonly name: string
  readonly kind: 'internal' | 'server' | 'client' | 'other'
  /** Milliseconds since the epoch. */
  readonly start: number
  readonly end: number
  readonly failed: boolean
  readonly attributes: Readonly<Record<string, string | number | boolean>>
}

interface Value { readonly stringValue?: string, readonly intValue?: string | number, readonly doubleValue?: number, readonly boolValue?: boolean }
interface Attribute { readonly key: string, readonly value: Value }
interface OtlpSpan {
  readonly traceId: string, readonly spanId: string, readonly parentSpanId?: string, readonly name: string, readonly kind: number
  readonly startTimeUnixNano: string, readonly endTimeUnixNano: string, readonly attributes: readonly Attribute[], readonly status?: { readonly code?: number }
  readonly links?: readonly { readonly spanId: string }[]
}
interface OtlpRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] }
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[]
  }[]
}

const kinds = ['other', 'internal', 'server', 'client'] as const

const plain = ({ stringValue, intValue, doubleValue, boolValue }: Value): string | number | boolean =>
  stringValue ?? (intValue === undefined ? doubleValue ?? boolValue ?? '' : Number(intValue))

const record = (attributes: readonly Attribute[]): Record<string, string | number | boolean> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, plain(value)]))

// Nanoseconds since the epoch don't fit a number; microseconds do.
const milliseconds = (nanoseconds: string): number => Number(BigInt(nanoseconds) / 1_000n) / 1_000

/** All spans of an export by OTLP in JSON. */
export const readOtlp = ({ resourceSpans }: OtlpRequest): readonly SpanRecord[] => resourceSpans.flatMap(({ resource, scopeSpans }) => {
  const service = String(record(resource.attributes)['service.name'])
  return scopeSpans.flatMap(({ spans }) => spans.map((span): SpanRecord => ({
    trace: span.traceId,
    id: span.spanId,
    parent: span.parentSpanId ?? '',
    links: (span.links ?? []).map(({ spanId }) => spanId),
    service,
    name: span.name,
    kind: kinds[span.kind] ?? 'other',
    start: milliseconds(span.startTimeUnixNano),
    end: milliseconds(span.endTimeUnixNano),
    failed: span.status?.code === 2,
    attributes: record(span.attributes),
  })))
})

/** What a collector of OpenTelemetry is to the services: takes their spans over HTTP, and keeps them. */
export class Collector {
  readonly spans: SpanRecord[] = []
  readonly #server: Server = createServer((request, response) => {
    void json(request).then((body) => {
      this.spans.push(...readOtlp(body as OtlpRequest))
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    }, () => { response.writeHead(400).end() })
  })

  /** Resolves to what has a service send its spans here. */
  async open(): Promise<Readonly<Record<string, string>>> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    const { port } = this.#server.address() as AddressInfo
    return {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_TRACES_EXPORTER: 'otlp',
      // Nothing to find out about a process on this machine, and the story is over before the usual five seconds are.
      OTEL_NODE_RESOURCE_DETECTORS: 'none',
      OTEL_BSP_SCHEDULE_DELAY: '500',
    }
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}
