import { z } from 'zod'
import { kind } from '../core/family.ts'
import type { Endpoint } from '../core/endpoint.ts'
import { hashOf } from '../core/hash.ts'
import type { Balancer } from './balancer.ts'
import { byId, hashing, hashingConfig, type Lookup } from './hashing.ts'
import { Schedule } from './schedule.ts'

const isPrime = (number: number): boolean => {
  for (let divisor = 2; divisor * divisor <= number; divisor++) if (number % divisor === 0) return false
  return number > 1
}

const primeFrom = (number: number): number => {
  while (!isPrime(number)) number++
  return number
}

/**
 * The same endpoint for the same key, by Google's Maglev (Eisenbud et al., NSDI 2016): a table in which every endpoint has its share of the slots
 * to within one. Spreads keys more evenly than a ring; when an endpoint comes or goes, some keys of others move too.
 */
export const maglev = kind('maglev', z.strictObject({
  ...hashingConfig.shape,
  tableSize: z.int().min(2).max(5_000_011).refine(isPrime, 'must be a prime, such as 65537 or 655373').default(65_537)
    .describe('Slots of the table, a prime. With a hundred for each endpoint shares differ by 1 percent. A set with more endpoints than slots gets a larger table.'),
}), ({ tableSize, ...config }, runtime): Balancer => hashing(config, runtime, (endpoints) => table(endpoints, tableSize)))

/**
 * Fills the table: endpoints take turns, as often as their weight says, and each takes the first free slot on a walk of its own through all slots.
 * In the order of their ids, so that all clients make the same table of the same set.
 */
const table = (endpoints: readonly Endpoint[], tableSize: number): Lookup => {
  const size = endpoints.length <= tableSize ? tableSize : primeFrom(2 * endpoints.length)
  const order = byId(endpoints)
  const next = Uint32Array.from(order, (place) => hashOf(endpoints[place]!.id) % size)
  const step = Uint32Array.from(order, (place) => hashOf(endpoints[place]!.id, 1) % (size - 1) + 1)
  const slots = new Int32Array(size).fill(-1)
  const turns = new Schedule(new Float64Array(order.length))
  for (let filled = 0; filled < size; filled++) {
    const turn = turns.first
    let slot = next[turn]!
    while (slots[slot]! >= 0) slot = (slot + step[turn]!) % size
    slots[slot] = order[turn]!
    next[turn] = (slot + step[turn]!) % size
    turns.postpone(1 / endpoints[order[turn]!]!.weight)
  }
  return (point) => slots[point % size]!
}
