import { balancers } from '../../src/balancers/index.ts'

/** A balancer as the scenarios are run with it. */
export interface Algorithm {
  readonly name: string
  /** What stands under `balancer` in the configuration of a client, the `index`-th of `count`, in its zone. */
  balancer(client: Client): { readonly type: string } & Readonly<Record<string, unknown>>
  /** Whether the servers report their load; they do by default. */
  readonly reports?: boolean
}

/** A client's place among the others. */
export interface Client {
  readonly index: number
  readonly count: number
  readonly zone: string
}

/** Where servers tell their load without being asked for anything else. */
export const loadPath = '/load'

const plain = (type: string): Algorithm => ({ name: type, balancer: () => ({ type }) })

/** Every scenario is run with these. */
export const algorithms: readonly Algorithm[] = [
  plain('round-robin'),
  plain('random'),
  plain('least-request'),
  plain('peak-ewma'),
  plain('orca-wrr'),
  plain('prequal'),
  { name: 'prequal without reports', balancer: () => ({ type: 'prequal' }), reports: false },
  { name: 'prequal with probes', balancer: () => ({ type: 'prequal', probes: { path: loadPath } }) },
]

/** Only within the own zone, as far as it goes. */
export const zoneAware: Algorithm = {
  name: 'zone-aware',
  balancer: ({ zone }) => ({ type: 'zone-aware', zone, of: { type: 'peak-ewma' } }),
}

/** Only a slice of the fleet, or a draw of it. */
export const apertures: readonly Algorithm[] = [
  { name: 'aperture of peak-ewma', balancer: ({ index, count }) => ({ type: 'aperture', peer: { index, count }, of: { type: 'peak-ewma' } }) },
  { name: 'aperture of prequal', balancer: ({ index, count }) => ({ type: 'aperture', peer: { index, count }, of: { type: 'prequal' } }) },
]

/** Throws where a configuration is none, before hours of virtual time are spent on it. */
export const check = (algorithm: Algorithm): void => {
  balancers.schema.parse(algorithm.balancer({ index: 0, count: 2, zone: 'a' }))
}
