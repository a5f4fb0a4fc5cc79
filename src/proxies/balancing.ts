import type { FamilyOutput } from '../core/family.ts'
import type { BuiltInBalancer } from '../mesh/config.ts'
import type { Address, Upstream } from './definition.ts'

type Balancer = FamilyOutput<BuiltInBalancer>

/** What chooses in the end where balancers hold others. */
export const innermost = (balancer: Balancer): Balancer => 'of' in balancer ? innermost(balancer.of) : balancer

/** The balancer of a type within one that may hold others. */
export const balancerWithin = <Type extends Balancer['type']>(balancer: Balancer, type: Type): Extract<Balancer, { type: Type }> | undefined => {
  if (balancer.type === type) return balancer as Extract<Balancer, { type: Type }>
  return 'of' in balancer ? balancerWithin(balancer.of, type) : undefined
}

/** The level of each endpoint, 0 first, where a balancer goes by levels; all are of level 0 otherwise. */
export const levelsOf = ({ balancer }: Upstream, endpoints: readonly Address[]): readonly number[] => {
  const priority = balancerWithin(balancer, 'priority')
  if (!priority) return endpoints.map(() => 0)
  const { by, order } = priority
  const told = endpoints.map(({ metadata: { [by]: value } }) => {
    if (order === undefined) return value === undefined ? 0 : /^\d{1,9}$/.test(value) ? Number(value) : Number.POSITIVE_INFINITY
    const level = order.indexOf(value ?? '')
    return level < 0 ? Number.POSITIVE_INFINITY : level
  })
  // Proxies want levels without gaps.
  const inUse = [...new Set(told)].sort((one, other) => one < other ? -1 : 1)
  return told.map((level) => inUse.indexOf(level))
}

/** Weights as whole numbers from 1 to `most`, the heaviest of which is as large as the shares need it. */
export const wholeWeights = (weights: readonly number[], most: number): readonly number[] => {
  if (weights.every((weight) => weight === weights[0])) return weights.map(() => 1)
  if (weights.every((weight) => Number.isInteger(weight) && weight <= most)) return weights
  const heaviest = Math.max(...weights)
  return weights.map((weight) => Math.max(1, Math.round(weight / heaviest * most)))
}
