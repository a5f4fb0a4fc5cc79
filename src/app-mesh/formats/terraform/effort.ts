import { Unevaluated } from './functions.ts'

/** What a whole configuration may cost: some seconds, and far more than one of a thousand resources takes. */
const most = 500_000_000

/** What one value may be: many times what a mesh has. */
const heaviest = 1_000_000

/** What a value costs beside the letters of its texts. */
const each = 20

/**
 * Holds what is evaluated within bounds: a few lines of Terraform's language can make values of values until no memory is left,
 * or go through a list for each item of a list for each item of a list.
 */
export class Effort {
  #left = most
  readonly #weights = new WeakMap<object, number>()

  /** Throws `Unevaluated` where the configuration has cost too much. */
  spend(cost: number): void {
    this.#left -= cost
    if (this.#left < 0) throw new Unevaluated('takes too much to evaluate: read what terraform show -json says instead')
  }

  /** The weight of a value, written out: what stands in it twice counts twice. Throws `Unevaluated` for one that is too heavy. */
  weigh(value: unknown): number {
    if (typeof value === 'string') return each + value.length
    if (typeof value !== 'object' || value === null) return each
    const known = this.#weights.get(value)
    if (known !== undefined) return known
    let weight = each
    for (const [name, inner] of Object.entries(value)) {
      weight += this.weigh(inner) + (Array.isArray(value) ? 0 : name.length)
      if (weight > heaviest) throw new Unevaluated('comes to more than a definition can be: read what terraform show -json says instead')
    }
    this.#weights.set(value, weight)
    return weight
  }
}
