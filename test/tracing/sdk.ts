import assert from 'node:assert/strict'
import { context, propagation, SpanKind, SpanStatusCode, trace, type TextMapPropagator } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  InMemorySpanExporter, SimpleSpanProcessor, TracerProvider, type ReadableSpan, type Sampler,
} from '@opentelemetry/sdk-trace'
import { carrying, type Around } from './support.ts'

let exporter = new InMemorySpanExporter()

/** What an application sets up: by default W3C's formats, and every trace recorded. */
export interface Setup {
  readonly sampler?: Sampler
  readonly propagator?: TextMapPropagator
}

/** OpenTelemetry's own pair of W3C propagators. */
export const w3c = (): TextMapPropagator =>
  new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] })

/** Registers an SDK that keeps spans in memory, in place of one that is there. */
export const register = ({ sampler, propagator = w3c() }: Setup = {}): void => {
  unregister()
  exporter = new InMemorySpanExporter()
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })], ...(sampler && { sampler }) })
  trace.setGlobalTracerProvider(provider)
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(propagator)
}

/** Takes it away: the process is as one without. */
export const unregister = (): void => {
  trace.disable()
  context.disable()
  propagation.disable()
}

/** The spans that have ended, in the order of their end. */
export const spans = (): readonly ReadableSpan[] => exporter.getFinishedSpans()

/** Forgets them. */
export const forget = (): void => exporter.reset()

/** Runs a task in a span of its own, as an application does. */
export const inSpan = <T>(name: string, task: () => Promise<T>, kind = SpanKind.INTERNAL): Promise<T> =>
  trace.getTracer('app').startActiveSpan(name, { kind }, async (span) => {
    try {
      return await task()
    } finally {
      span.end()
    }
  })

/** What a server with OpenTelemetry does around a request: its span is the parent of whatever the request makes. */
export const serving: Around = (request, work) => {
  const parent = propagation.extract(context.active(), request.headers)
  return context.with(parent, () => trace.getTracer('app').startActiveSpan('serve', { kind: SpanKind.SERVER }, (span) => {
    const done = carrying(request, work)
    void Promise.resolve(done).finally(() => span.end())
    return done
  }))
}

/** A span as a line for comparing: kind, name, the service that an attempt dialled, status. */
const lineOf = ({ kind, name, status, attributes }: ReadableSpan): string =>
  [SpanKind[kind], name, attributes['server.address'], SpanStatusCode[status.code]].filter((part) => part !== undefined && part !== 'UNSET').join(' ')

/** The forest of the ended spans: children, sorted by their lines, under their parents. */
export const tree = (): readonly string[] => {
  const all = spans()
  const ids = new Set(all.map((span) => span.spanContext().spanId))
  const blocksUnder = (isChild: (span: ReadableSpan) => boolean): readonly string[] => all.filter(isChild).map((span) => {
    const { spanId } = span.spanContext()
    return [lineOf(span), ...blocksUnder(({ parentSpanContext }) => parentSpanContext?.spanId === spanId)
      .flatMap((block) => block.split('\n')).map((line) => `  ${line}`)].join('\n')
  }).sort()
  return blocksUnder(({ parentSpanContext }) => !ids.has(parentSpanContext?.spanId ?? '')).flatMap((block) => block.split('\n'))
}

/** The only ended span of that kind. */
export const only = (kind: SpanKind): ReadableSpan => {
  const found = spans().filter((span) => span.kind === kind)
  assert.equal(found.length, 1, `${found.length} ${SpanKind[kind]} spans: ${tree().join('; ')}`)
  return found[0]!
}
