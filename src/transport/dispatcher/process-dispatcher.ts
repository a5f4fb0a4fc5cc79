import type { Dispatcher } from 'undici'

/** The two places of the process's dispatcher: undici up to 7 reads the first, undici 8 the second. */
const places = [Symbol.for('undici.globalDispatcher.1'), Symbol.for('undici.globalDispatcher.2')] as const

type Places = readonly [Dispatcher | undefined, Dispatcher | undefined]

const inPlace = (): Places => places.map((place) => (globalThis as Record<symbol, unknown>)[place]) as unknown as Places

/** The application's own, while a call of `fetch` has the mesh stand in for them. */
let setAside: Places | undefined

/** The process's dispatcher for handlers of undici 8 (2) or of the older ones (1). */
export const globalDispatcher = (version: 1 | 2): Dispatcher | undefined => (setAside ?? inPlace())[version - 1]

// As undici does it itself, which also sets them again later.
const setPlace = (index: number, value: Dispatcher | undefined): void => {
  Object.defineProperty(globalThis, places[index]!, { value, writable: true, enumerable: false, configurable: false })
}

/** Has Node load its own undici, which sets the process's dispatcher where none is set: so there is one that other hosts can go to. */
export const settleProcessDispatcher = (): void => {
  Reflect.get(globalThis, 'Response')
}

/** Puts a dispatcher into the place of the process's own, for undici of every version and the platform's `fetch`. */
export const setProcessDispatcher = (dispatcher: Dispatcher): void => places.forEach((_, index) => setPlace(index, dispatcher))

/** What undici 8 puts beside the dispatcher that it is given, for the older ones. */
const isMirror = (dispatcher: Dispatcher | undefined): boolean => dispatcher?.constructor.name === 'Dispatcher1Wrapper'

/**
 * The dispatcher that somebody else has put into the place of this one since; `undefined` where there is none, where the new one is
 * composed of this one, and for mocks: who sets one wants nothing to be sent.
 */
export const displacedBy = (dispatcher: Dispatcher): Dispatcher | undefined => {
  const [first, second] = inPlace()
  if (first === dispatcher && second === dispatcher) return undefined
  const others = [isMirror(first) ? second : first, second].filter((one) => !(one instanceof dispatcher.constructor))
  return others.some((one) => one && 'disableNetConnect' in one) ? undefined : others[0]
}

/**
 * The platform's `fetch` through a dispatcher that was put into the process's place, even when the application sets another one later: that
 * one gets what this one lets past. A dispatcher that a call or its `Request` brings along is used as ever.
 */
export const fetchThrough = (dispatcher: Dispatcher): typeof globalThis.fetch => {
  const platformFetch = globalThis.fetch
  const fetch: typeof platformFetch = (input, init = undefined) => {
    if (!displacedBy(dispatcher)) return platformFetch(input, init)
    // The platform's reads the process's dispatcher before it returns, so nobody else sees the change.
    const present = setAside = inPlace()
    setProcessDispatcher(dispatcher)
    try {
      return platformFetch(input, init)
    } finally {
      setAside = undefined
      present.forEach((one, index) => setPlace(index, one))
    }
  }
  return fetch
}
