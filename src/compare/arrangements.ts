import { wayOf, type Arrangement } from './arrangement.ts'
import { sidecars } from './sidecars/index.ts'
import type { Sidecar } from './sidecars/sidecar.ts'

const behind = (sidecar: Sidecar): readonly Arrangement[] => [
  {
    id: `${sidecar.name}-fetch`, title: `${sidecar.title}, fetch`, kind: 'sidecar', client: 'fetch', way: wayOf('plain-fetch'), addresses: 'one', sidecar, underFaults: true,
    how: `The platform's fetch to its own ${sidecar.title} on the loopback, with one thread and a configuration made from the definition.`,
  },
  {
    id: `${sidecar.name}-request`, title: `${sidecar.title}, undici.request`, kind: 'sidecar', client: 'undici.request', way: wayOf('plain-request'), addresses: 'one', sidecar,
    how: `undici.request to its own ${sidecar.title} on the loopback, with one thread and a configuration made from the definition.`,
  },
]

/** What is compared everywhere, in the order of tables. */
export const arrangements: readonly Arrangement[] = [
  {
    id: 'direct-fetch', title: 'direct, fetch', kind: 'direct', client: 'fetch', way: wayOf('plain-fetch'), addresses: 'one', underFaults: true,
    how: "The platform's fetch to one instance; of faults at one instance, the one at fault.",
  },
  {
    id: 'direct-request', title: 'direct, undici.request', kind: 'direct', client: 'undici.request', way: wayOf('plain-request'), addresses: 'one',
    how: 'undici.request with a keep-alive agent to one instance; of faults at one instance, the one at fault.',
  },
  {
    id: 'turns-fetch', title: 'by turns, fetch', kind: 'direct', client: 'fetch', way: wayOf('plain-fetch'), addresses: 'all', underFaults: true,
    how: "The platform's fetch to all instances by turns: naive round-robin, without anything else.",
  },
  {
    id: 'turns-request', title: 'by turns, undici.request', kind: 'direct', client: 'undici.request', way: wayOf('plain-request'), addresses: 'all',
    how: 'undici.request with a keep-alive agent to all instances by turns: naive round-robin, without anything else.',
  },
  {
    id: 'enmesh-fetch', title: 'enmesh, mesh.fetch', kind: 'enmesh', client: 'fetch', way: wayOf('mesh-fetch'), addresses: 'all', underFaults: true,
    how: 'mesh.fetch of a mesh in the process, created from the definition.',
  },
  {
    id: 'enmesh-request', title: 'enmesh, undici.request', kind: 'enmesh', client: 'undici.request', way: wayOf('mesh-request'), addresses: 'all', underFaults: true,
    how: 'undici.request with the dispatcher of a mesh in the process, created from the definition.',
  },
  ...behind(sidecars.haproxy),
  ...behind(sidecars.nginx),
  ...behind(sidecars.envoy),
]
