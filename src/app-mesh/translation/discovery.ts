import { isIP } from 'node:net'
import type { MeshInput } from '../../mesh/config.ts'
import type { IpPreference } from '../document/scalars.ts'
import type { VirtualNode } from '../document.ts'

/** Where the endpoints of a cluster come from. */
export type RegistryInput = NonNullable<MeshInput['clusters']>[string]['registry']

const families = { IPv4_ONLY: 4, IPv6_ONLY: 6, IPv4_PREFERRED: 'prefer-4', IPv6_PREFERRED: 'prefer-6' } as const

/**
 * The registry of a node's discovery, for one of its ports. `ofMesh` is what the mesh prefers. Absent where the node has no
 * discovery.
 */
export const registryOf = (
  { spec: { serviceDiscovery } }: VirtualNode, port: number, ofMesh: IpPreference | undefined,
): RegistryInput | undefined => {
  const { dns, awsCloudMap } = serviceDiscovery ?? {}
  if (dns) return ofDns(dns, port, dns.ipPreference ?? ofMesh)
  if (!awsCloudMap) return undefined
  const { namespaceName, serviceName, attributes, ipPreference = ofMesh } = awsCloudMap
  return {
    type: 'cloud-map',
    namespace: namespaceName,
    service: serviceName,
    port,
    ...(attributes && attributes.length > 0 && { attributes: Object.fromEntries(attributes.map(({ key, value }) => [key, value])) }),
    ...(ipPreference && { family: families[ipPreference] }),
  }
}

interface Dns {
  readonly hostname: string
  readonly responseType?: 'LOADBALANCER' | 'ENDPOINTS' | undefined
}

const ofDns = ({ hostname, responseType }: Dns, port: number, preference: IpPreference | undefined): RegistryInput => {
  const address = hostname.replace(/^\[(.*)\]$/, '$1')
  const version = isIP(address)
  if (version > 0) return { type: 'static', endpoints: [version === 6 ? `[${address}]:${port}` : `${address}:${port}`] }
  return {
    type: 'dns',
    hostname,
    port,
    responseType: responseType === 'ENDPOINTS' ? 'endpoints' : 'logical',
    // Envoy asks for IPv6 first unless it is told otherwise.
    family: families[preference ?? 'IPv6_PREFERRED'],
    // A name without dots is completed by the search domains of the machine, or stands in its hosts file.
    ...(!hostname.includes('.') && { resolver: 'system' }),
  }
}
