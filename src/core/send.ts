import type { Reply } from './reply.ts'

/** Sends a subject (a `Call` or an `Attempt`); settles when the head of the reply is in. */
export type Send<T> = (subject: T) => Promise<Reply>

/** Wraps a send in one behaviour. Built when configuration changes, never per request. */
export type Layer<T> = (next: Send<T>) => Send<T>

/** Builds one send from layers written in travel order; an absent layer costs nothing. */
export const stack = <T>(layers: readonly (Layer<T> | undefined)[], innermost: Send<T>): Send<T> =>
  layers.reduceRight((next, layer) => layer?.(next) ?? next, innermost)
