import { ValueType, type Histogram, type Meter, type Observable } from '@opentelemetry/api'

/*
 * By OpenTelemetry's conventions: of HTTP clients https://opentelemetry.io/docs/specs/semconv/http/http-metrics/,
 * and of states https://opentelemetry.io/docs/specs/semconv/how-to-write-conventions/status-metrics/
 */

/**
 * - `counter`: only grows
 * - `level`: goes up and down, and can be added up (OpenTelemetry's up-down counter)
 * - `gauge`: can't be added up; of several the greatest is told
 * - `least`: can't be added up; of several the least is told
 */
export type Sort = 'counter' | 'level' | 'gauge' | 'least'

interface Definition {
  readonly sort: Sort
  readonly name: string
  readonly unit: string
  readonly description: string
}

const definitions = {
  requests: { sort: 'level', name: 'http.client.active_requests', unit: '{request}', description: 'Attempts under way, bodies included.' },
  connections: { sort: 'level', name: 'http.client.open_connections', unit: '{connection}', description: 'Connections to endpoints that are open.' },
  attempts: { sort: 'counter', name: 'enmesh.attempts', unit: '{attempt}', description: 'Attempts that ended, by what they say of their endpoint.' },
  retries: { sort: 'counter', name: 'enmesh.retries', unit: '{retry}', description: 'Retries made, by what the attempt before ended with.' },
  ejections: { sort: 'counter', name: 'enmesh.ejections', unit: '{ejection}', description: 'Times that outlier detection took an endpoint out.' },
  checks: { sort: 'counter', name: 'enmesh.health_checks', unit: '{check}', description: 'Health checks that ended, by what they found.' },
  budget: { sort: 'level', name: 'enmesh.budget.balance', unit: '{retry}', description: 'Retries that the budget would allow now.' },
  breaker: { sort: 'level', name: 'enmesh.breaker.status', unit: '1', description: '1 for the state that the breaker is in, 0 for the others.' },
  endpoints: { sort: 'level', name: 'enmesh.endpoints', unit: '{endpoint}', description: 'Endpoints that the registry lists, by their state.' },
  age: { sort: 'gauge', name: 'enmesh.registry.age', unit: 's', description: "Time since the registry's last answer." },
  expiry: { sort: 'least', name: 'enmesh.certificate.expiry', unit: 's', description: 'Time until a certificate in use expires; below 0 once it has.' },
} as const satisfies Readonly<Record<string, Definition>>

/** An instrument that is read when somebody collects. */
export type ObservableName = keyof typeof definitions

/** All instruments of one meter. */
export interface Instruments {
  readonly duration: Histogram
  readonly observables: Readonly<Record<ObservableName, Observable>>
}

/** How figures of an instrument are to be taken. */
export const sortOf = (name: ObservableName): Sort => definitions[name].sort

const factories = {
  counter: 'createObservableCounter',
  level: 'createObservableUpDownCounter',
  gauge: 'createObservableGauge',
  least: 'createObservableGauge',
} as const satisfies Readonly<Record<Sort, keyof Meter>>

const observable = (meter: Meter, { sort, name, unit, description }: Definition): Observable =>
  meter[factories[sort]](name, { unit, description, valueType: sort === 'gauge' || sort === 'least' ? ValueType.DOUBLE : ValueType.INT })

/** Makes the instruments. */
export const createInstruments = (meter: Meter): Instruments => ({
  duration: meter.createHistogram('http.client.request.duration', {
    unit: 's',
    description: 'Duration of attempts, from their start to the end of the body.',
    advice: { explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] },
  }),
  observables: Object.fromEntries(Object.entries(definitions)
    .map(([key, definition]) => [key, observable(meter, definition)])) as Record<ObservableName, Observable>,
})
