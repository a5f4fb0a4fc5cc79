import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { metrics, type Attributes } from '@opentelemetry/api'
import { MeterProvider, MetricReader, type Histogram } from '@opentelemetry/sdk-metrics'

/** One series as it was collected. */
export interface Series {
  readonly name: string
  readonly unit: string
  readonly kind: string
  /** The instrumentation that made it. */
  readonly scope: string
  readonly attributes: Attributes
  /** Of a histogram, its sum. */
  readonly value: number
  readonly histogram: Histogram | undefined
}

class OnDemand extends MetricReader {
  protected override async onShutdown(): Promise<void> {}
  protected override async onForceFlush(): Promise<void> {}
}

/** An SDK in memory, registered for the length of a test or until `unregister`. */
export const collecting = (t: TestContext) => {
  const reader = new OnDemand()
  const provider = new MeterProvider({ readers: [reader] })
  metrics.setGlobalMeterProvider(provider)
  const unregister = (): void => { if (metrics.getMeterProvider() === provider) metrics.disable() }
  t.after(unregister)
  const collect = async (name?: string): Promise<readonly Series[]> => {
    const { resourceMetrics, errors } = await reader.collect()
    if (errors.length > 0) throw new AggregateError(errors)
    return resourceMetrics.scopeMetrics.flatMap(({ scope, metrics }) => metrics.flatMap(({ descriptor, dataPoints }) =>
      dataPoints.map(({ attributes, value }): Series => ({
        name: descriptor.name,
        unit: descriptor.unit,
        kind: (descriptor as { type?: string }).type ?? '',
        scope: scope.name,
        attributes,
        value: typeof value === 'number' ? value : value.sum ?? 0,
        histogram: typeof value === 'number' ? undefined : value as Histogram,
      })))).filter((series) => name === undefined || series.name === name)
  }
  /** Values by one attribute, of the series in which others are as given; of histograms, their counts. */
  const by = async (name: string, attribute: string, others: Attributes = {}): Promise<Readonly<Record<string, number>>> => {
    const found: Record<string, number> = {}
    for (const { attributes, value, histogram } of await collect(name)) {
      if (Object.entries(others).some(([key, other]) => attributes[key] !== other)) continue
      const key = String(attributes[attribute])
      assert.ok(!(key in found), `several series of ${name} have ${attribute} ${key}`)
      found[key] = histogram?.count ?? value
    }
    return found
  }
  return { provider, unregister, collect, by }
}
