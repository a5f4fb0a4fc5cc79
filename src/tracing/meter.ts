import { createNoopMeter, metrics, type Attributes, type BatchObservableCallback, type MeterProvider } from '@opentelemetry/api'
import { createInstruments, sortOf, type Instruments, type ObservableName, type Sort } from './instruments.ts'
import { shielded } from './shielded.ts'
import { scope, version } from './tracer.ts'

/** Takes one figure of a mesh. */
export type Tell = (name: ObservableName, value: number, attributes: Attributes) => void

/** What can be read whenever somebody collects. */
export interface Figured {
  /** Tells its figures as they are now. */
  tell(tell: Tell): void
}

/** A mesh that can be read. */
export interface Observed extends Figured {
  /** Its counters, which `tell` leaves out. They outlive it, so they hold nothing of it. */
  readonly counters: Figured
}

interface Point {
  readonly name: ObservableName
  readonly attributes: Attributes
  value: number
}

/** Two figures of the same series as one. */
const joined = (sort: Sort, one: number, other: number): number => sort === 'gauge' ? Math.max(one, other) : sort === 'least' ? Math.min(one, other) : one + other

/** Figures by instrument and attributes. Those of the same are added up, or the one that matters most is taken where that makes no sense. */
class Figures {
  readonly points = new Map<string, Point>()

  readonly add: Tell = (name, value, attributes) => {
    const key = `${name} ${JSON.stringify(attributes)}`
    const point = this.points.get(key)
    if (!point) this.points.set(key, { name, attributes, value })
    else point.value = joined(sortOf(name), point.value, value)
  }
}

/*
 * A process has one meter of this name, and an SDK takes one value of a series at a time, the latest. So the meshes of the process
 * are added up here: two that call clusters of the same name are one series.
 */
const meshes = new Set<Entry>()

/** Held weakly: a mesh that nobody has closed is collected like anything else that nobody uses. */
interface Entry {
  readonly mesh: WeakRef<Observed>
  readonly counters: Figured
}

/** Counts of meshes that were closed, or collected, under this provider: a counter must not go back, and what it grew by since the last look is still to be told. */
const past = new Figures()

/** What was told last. */
let told = new Figures()

const report: BatchObservableCallback = (result) => {
  if (!instruments) return
  const { observables } = instruments
  const now = new Figures()
  for (const { name, value, attributes } of past.points.values()) now.add(name, value, attributes)
  for (const { mesh, counters } of meshes) {
    mesh.deref()?.tell(now.add)
    counters.tell(now.add)
  }
  // SDKs go on to report a sum that nobody tells any more with its last value: what is gone is told to be 0, once.
  for (const [key, { name, attributes }] of told.points) {
    if (sortOf(name) === 'level' && !now.points.has(key)) result.observe(observables[name], 0, attributes)
  }
  for (const { name, value, attributes } of now.points.values()) result.observe(observables[name], value, attributes)
  told = now
}

let known: MeterProvider | undefined
let instruments: Instruments | undefined
let stop = (): void => {}

/**
 * The instruments of the SDK that the application has registered; `undefined` while there is none. Meters of the API are no
 * proxies: those made before an SDK is there never record. So whoever measures asks again each time, which costs a comparison.
 */
export const currentInstruments = (): Instruments | undefined => {
  const provider = metrics.getMeterProvider()
  if (provider !== known) shielded('following a meter provider', () => follow(provider))
  return instruments
}

const follow = (provider: MeterProvider): void => {
  const stopBefore = stop
  stop = () => {}
  known = provider
  instruments = undefined
  shielded('leaving a meter provider', stopBefore)
  told = new Figures()
  past.points.clear()
  const meter = provider.getMeter(scope, version)
  instruments = meter === createNoopMeter() ? undefined : createInstruments(meter)
  if (!instruments) return
  const all = Object.values(instruments.observables)
  meter.addBatchObservableCallback(report, all)
  stop = () => meter.removeBatchObservableCallback(report, all)
}

const retire = (entry: Entry): void => {
  meshes.delete(entry)
  if (instruments) entry.counters.tell(past.add)
}

const collected = new FinalizationRegistry(retire)

/** Has a mesh read from now on; the returned function ends it and is called once. */
export const observe = (mesh: Observed): () => void => {
  const entry: Entry = { mesh: new WeakRef(mesh), counters: mesh.counters }
  meshes.add(entry)
  collected.register(mesh, entry, entry)
  return () => {
    collected.unregister(entry)
    retire(entry)
  }
}
