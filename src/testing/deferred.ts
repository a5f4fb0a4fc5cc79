/** A promise that somebody else settles. */
export interface Deferred<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (reason: unknown) => void
}

/** Makes a promise with its ends in hand. One that nobody awaits may be rejected. */
export const deferred = <T = void>(): Deferred<T> => {
  let ends: Pick<Deferred<T>, 'resolve' | 'reject'> | undefined
  const promise = new Promise<T>((resolve, reject) => { ends = { resolve, reject } })
  promise.catch(() => {})
  return { promise, ...ends! }
}
