import { didYouMean } from '../../mesh/faults.ts'
import type { AppMeshDocument, VirtualService } from '../document.ts'
import type { AccessLogging } from '../document/logging.ts'
import type { ClientPolicy } from '../document/tls.ts'
import type { BodyPath } from '../found.ts'
import type { Remarks } from './remarks.ts'

const policed = (policy: ClientPolicy | undefined, resource: string, path: BodyPath): Policed | undefined => policy && { policy, resource, path }

/** A client policy, and where it is written. */
export interface Policed {
  readonly policy: ClientPolicy
  readonly resource: string
  readonly path: BodyPath
}

/** Who calls, and what it may. */
export interface Caller {
  /** The services that it may call. */
  readonly services: readonly VirtualService[]
  /** What it demands of a service; `undefined` for somebody who is nobody in particular. */
  policyFor(service: string): Policed | undefined
  /** Where it writes down its calls. */
  readonly logging: AccessLogging | undefined
  /** What the definition calls it; empty for somebody who is nobody in particular. */
  readonly resource: string
  /** Whether hosts beside the services may be called. */
  readonly open: boolean
}

/**
 * Works out what a process may call. A node reaches its backends alone, and whatever else only under ALLOW_ALL and only while
 * it lists no backend (S15). A gateway reaches what its routes lead to. Whoever is not named reaches every service.
 */
export const callerOf = (document: AppMeshDocument, as: string | undefined, remarks: Remarks): Caller => {
  const allowAll = document.mesh.spec?.egressFilter?.type === 'ALLOW_ALL'
  if (as === undefined) return { services: document.virtualServices, policyFor: () => undefined, logging: undefined, resource: '', open: allowAll }
  const node = document.virtualNodes.find(({ virtualNodeName }) => virtualNodeName === as)
  if (node) {
    const resource = `virtualNode ${as}`
    const byDefault = policed(node.spec.backendDefaults?.clientPolicy, resource, ['spec', 'backendDefaults', 'clientPolicy'])
    const backends = new Map((node.spec.backends ?? []).map(({ virtualService }, index) => {
      const place = ['spec', 'backends', index, 'virtualService', 'clientPolicy']
      return [virtualService!.virtualServiceName, policed(virtualService!.clientPolicy, resource, place) ?? byDefault]
    }))
    return {
      services: document.virtualServices.filter(({ virtualServiceName }) => backends.has(virtualServiceName)),
      policyFor: (service) => backends.get(service),
      logging: node.spec.logging,
      resource,
      open: allowAll && backends.size === 0,
    }
  }
  const gateway = document.virtualGateways.find(({ virtualGatewayName }) => virtualGatewayName === as)
  if (gateway) {
    const resource = `virtualGateway ${as}`
    const targets = new Set(document.gatewayRoutes.filter(({ virtualGatewayName }) => virtualGatewayName === as)
      .map(({ spec }) => (spec.httpRoute ?? spec.http2Route ?? spec.grpcRoute)!.action.target.virtualService.virtualServiceName))
    return {
      services: document.virtualServices.filter(({ virtualServiceName }) => targets.has(virtualServiceName)),
      policyFor: () => policed(gateway.spec.backendDefaults?.clientPolicy, resource, ['spec', 'backendDefaults', 'clientPolicy']),
      logging: gateway.spec.logging,
      resource,
      open: false,
    }
  }
  const known = [...document.virtualNodes.map(({ virtualNodeName }) => virtualNodeName), ...document.virtualGateways.map(({ virtualGatewayName }) => virtualGatewayName)]
  remarks.refuse('', 'as', `there is no virtual node or gateway '${as}': ${didYouMean(as, known)}`)
  return { services: [], policyFor: () => undefined, logging: undefined, resource: '', open: false }
}
