import { AsyncResource } from 'node:async_hooks'
import type { EventEmitter } from 'node:events'
import { currentPassport, type Passport } from '../core/passport.ts'

/**
 * Has the listeners of a request's own objects hear in the present async context what is told outside of it. Node tells of bytes,
 * end and close in the context of the connection, which other requests share, so a body parser would lose the request that it reads for.
 */
export const keepContext = (passport: Passport, ...emitters: readonly EventEmitter[]): void => {
  // 0.1 µs, where AsyncLocalStorage.snapshot() takes 4.6.
  const here = new AsyncResource('enmesh.request')
  for (const emitter of emitters) {
    const emit = emitter.emit.bind(emitter)
    const emitHere = (...told: Parameters<EventEmitter['emit']>): boolean =>
      currentPassport() === passport ? emit(...told) : here.runInAsyncScope(emit, emitter, ...told)
    // Not assigned as it is written: V8 puts such a function into old space, and the request with it until a full collection.
    emitter.emit = emitHere
  }
}
