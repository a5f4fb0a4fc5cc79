import type { MeshInput } from '../../mesh/config.ts'
import type { VirtualNode } from '../document.ts'
import type { NodeListener } from '../document/listener.ts'
import type { ClientPolicy } from '../document/tls.ts'
import type { Policed } from './caller.ts'
import type { Remarks } from './remarks.ts'

/** PEM files in place of what a definition names: an authority, or a certificate and its key. */
export interface CertificateFiles {
  /** Authorities to trust. */
  readonly ca?: string
  /** The certificate to show. */
  readonly cert?: string
  /** Its private key. */
  readonly key?: string
}

/** Files by what the definition names: an ARN, the name of a secret, or the path that a file has where the proxies run. */
export type Certificates = Readonly<Record<string, CertificateFiles>>

type Tls = NonNullable<NonNullable<NonNullable<MeshInput['clusters']>[string]>['tls']>
type Validation = NonNullable<ClientPolicy['tls']>['validation']

/** What TLS to a listener depends on. */
export interface Dialled {
  readonly node: VirtualNode
  readonly listener: NodeListener
  readonly index: number
  readonly policed: Policed | undefined
  readonly certificates: Certificates
  readonly remarks: Remarks
}

/**
 * How a listener is dialled. A policy that is enforced for its port decides; otherwise TLS is spoken where the listener offers
 * it.
 * `undefined` is plain text.
 */
export const clientTls = (dialled: Dialled): Tls | undefined => {
  const { node, listener, index, policed, remarks } = dialled
  const resource = `virtualNode ${node.virtualNodeName}`
  const { tls } = policed?.policy ?? {}
  const { port } = listener.portMapping
  const concerned = tls !== undefined && (tls.ports === undefined || tls.ports.length === 0 || tls.ports.includes(port))
  const offered = listener.tls !== undefined && listener.tls.mode !== 'DISABLED'
  if (concerned && tls.enforce !== false && !offered) {
    remarks.warn(resource, ['spec', 'listeners', index], 'offers no TLS, and the client policy of who calls demands it: calls will fail with ENMESH_TLS')
  }
  if (!offered && !(concerned && tls.enforce !== false)) return undefined
  if (!concerned) {
    remarks.warn(resource, ['spec', 'listeners', index, 'tls'],
      'is spoken to without a client policy, so a proxy verified nothing: here the certificate is verified against the authorities of the machine. '
      + 'Give a client policy with `validation`, or set `tls` of the cluster')
    return { servername: discoveryName(node) ?? node.virtualNodeName }
  }
  return {
    ...trust(tls.validation, dialled),
    ...shown(tls.certificate, dialled),
    ...names(tls.validation, dialled),
  }
}

/** The name under which a node is found, which its certificate must carry unless a policy names others. */
const discoveryName = ({ spec: { serviceDiscovery } }: VirtualNode): string | undefined => {
  if (serviceDiscovery?.dns) return serviceDiscovery.dns.hostname
  const map = serviceDiscovery?.awsCloudMap
  return map && `${map.serviceName}.${map.namespaceName}`
}

/** Says that something of the client policy cannot be done. */
const refuse = ({ policed, remarks }: Dialled, path: readonly string[], message: string): void =>
  remarks.refuse(policed!.resource, [...policed!.path, 'tls', ...path], message)

const trust = ({ trust: { acm, file, sds } }: Validation, dialled: Dialled): Pick<Exclude<Tls, boolean>, 'ca'> => {
  const { certificates } = dialled
  if (file) return { ca: { file: certificates[file.certificateChain]?.ca ?? file.certificateChain } }
  const wanted = acm ? acm.certificateAuthorityArns : [sds!.secretName]
  const files = wanted.flatMap((name) => {
    const ca = certificates[name]?.ca
    if (ca !== undefined) return [{ file: ca }]
    refuse(dialled, ['validation', 'trust', acm ? 'acm' : 'sds'], `the authority '${name}' is kept where only proxies could read it: export it, and give its file by the option `
      + `certificates: { '${name}': { ca: 'authority.pem' } }, or by --ca ${name}=authority.pem`)
    return []
  })
  return files.length === 0 ? {} : { ca: files.length === 1 ? files[0]! : files }
}

const shown = (
  certificate: NonNullable<ClientPolicy['tls']>['certificate'], dialled: Dialled,
): Pick<Exclude<Tls, boolean>, 'cert' | 'key'> => {
  if (!certificate) return {}
  const { certificates } = dialled
  const { file, sds } = certificate
  if (file) {
    return {
      cert: { file: certificates[file.certificateChain]?.cert ?? file.certificateChain },
      key: { file: certificates[file.privateKey]?.key ?? file.privateKey },
    }
  }
  const { cert, key } = certificates[sds!.secretName] ?? {}
  if (cert !== undefined && key !== undefined) return { cert: { file: cert }, key: { file: key } }
  refuse(dialled, ['certificate', 'sds'], `the secret '${sds!.secretName}' is kept where only proxies could read it: give its files by the option `
    + `certificates: { '${sds!.secretName}': { cert: 'certificate.pem', key: 'key.pem' } }, or by --cert ${sds!.secretName}=certificate.pem,key.pem`)
  return {}
}

const names = (
  { subjectAlternativeNames }: Validation, { node }: Dialled,
): Pick<Exclude<Tls, boolean>, 'servername' | 'names'> => {
  const servername = discoveryName(node) ?? node.virtualNodeName
  const names = subjectAlternativeNames?.match.exact ?? []
  return names.length > 0 ? { servername, names } : { servername }
}
