import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
/** Collects what nobody holds. */
export const collectGarbage = runInNewContext('gc') as () => void

/** Bytes on the heap once everything that nobody holds is gone. */
export const heldMemory = (): number => {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

/** The middle one, or the lower of the two in the middle. */
export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[(values.length - 1) >> 1]!
