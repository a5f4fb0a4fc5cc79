import { faultOf } from '../../body/body.ts'
import type { Fault } from '../../found.ts'
import { group, referenceIn, selects, type Manifest } from './manifests.ts'
import { fieldOf, plain, textOf, type Traced } from '../../body/traced.ts'

/** What the controller called a resource that has no `awsName`. */
const defaultName = (kind: string, name: string, namespace: string): string => {
  if (kind === 'Mesh') return name
  return kind === 'VirtualService' ? `${name}.${namespace}` : `${name}_${namespace}`
}

const specOf = (manifest: Manifest): Traced | undefined => fieldOf(manifest.top, 'spec')

const quoted = (manifests: readonly Manifest[]): string => manifests.map(({ resource }) => `"${resource}"`).join(', ')

/** All manifests that are read together: what one of them names may stand in any file. For `v1beta2`. */
export class Cluster {
  readonly #manifests: readonly Manifest[]
  readonly #labels = new Map<string, ReadonlyMap<string, string>>()
  readonly #tell: (fault: Fault) => void
  readonly #assumed = new Set<string>()

  constructor(manifests: readonly Manifest[], tell: (fault: Fault) => void) {
    this.#manifests = manifests.filter(({ version }) => version === `${group}v1beta2`)
    this.#tell = tell
    for (const { kind, name, labels } of manifests) if (kind === 'Namespace') this.#labels.set(name, labels)
  }

  /** The name that the controller gave a resource in App Mesh, and where the manifest says it. */
  ownName(manifest: Manifest): Traced {
    const awsName = fieldOf(specOf(manifest), 'awsName')
    if (awsName !== undefined && (awsName.kind !== 'plain' || textOf(awsName) !== undefined)) return awsName
    return plain(defaultName(manifest.kind, manifest.name, manifest.namespace), fieldOf(fieldOf(manifest.top, 'metadata'), 'name')!.where)
  }

  /**
   * The name in App Mesh of what a reference means. What is not among the files has the name that the controller would have
   * given it.
   */
  named(kind: string, name: string, namespace: string): string {
    const manifest = this.find(kind, name, namespace)
    return (manifest && textOf(this.ownName(manifest))) ?? defaultName(kind, name, namespace)
  }

  find(kind: string, name: string, namespace: string): Manifest | undefined {
    return this.#manifests.find((one) => one.kind === kind && one.name === name && (kind === 'Mesh' || one.namespace === namespace))
  }

  /** All of a kind in one namespace. */
  all(kind: string, namespace: string): readonly Manifest[] {
    return this.#manifests.filter((one) => one.kind === kind && one.namespace === namespace)
  }

  /** The name of the mesh that a resource belongs to; `undefined` where no mesh is among the files. */
  meshOf(member: Manifest): Traced | undefined {
    const reference = fieldOf(specOf(member), 'meshRef')
    if (reference) return this.#referred('Mesh', reference, member)
    if (!this.#manifests.some(({ kind }) => kind === 'Mesh')) {
      this.#once('no mesh', member, fieldOf(member.top, 'metadata')!.where,
        'names no mesh, as all that is read with it, and no Mesh is among the files: add its manifest, which has its name and its egress filter')
    }
    return this.#above('Mesh', member, (mesh, labels) => selects(fieldOf(specOf(mesh), 'namespaceSelector'), labels))
  }

  /** The name of the virtual gateway that a gateway route belongs to; `undefined` where none is among the files. */
  gatewayOf(route: Manifest): Traced | undefined {
    const reference = fieldOf(specOf(route), 'virtualGatewayRef')
    if (reference) return this.#referred('VirtualGateway', reference, route)
    return this.#above('VirtualGateway', route, (gateway, labels) => {
      const byLabels = fieldOf(specOf(gateway), 'gatewayRouteSelector')
      return selects(fieldOf(specOf(gateway), 'namespaceSelector'), labels) && (byLabels === undefined || selects(byLabels, route.labels))
    })
  }

  #referred(kind: string, reference: Traced, from: Manifest): Traced {
    const read = referenceIn(reference, (where, message) => { this.#say('error', from, where, message) })
    if (!read) return { kind: 'unread', where: reference.where }
    return plain(this.named(kind, read.name, read.namespace ?? from.namespace), reference.where)
  }

  /** What a member belongs to, as the controller's webhook picked it: by the labels of the member's namespace. */
  #above(
    kind: string, member: Manifest, picks: (candidate: Manifest, labels: ReadonlyMap<string, string>) => boolean,
  ): Traced | undefined {
    const candidates = this.#manifests.filter((one) => one.kind === kind)
    if (candidates.length === 0) return undefined
    const declared = this.#labels.get(member.namespace)
    const labels = new Map([...declared ?? [], ['kubernetes.io/metadata.name', member.namespace]])
    const picked = candidates.filter((candidate) => picks(candidate, labels))
    if (picked.length === 1) return this.ownName(picked[0]!)
    const { where } = fieldOf(member.top, 'metadata')!
    if (picked.length === 0 && declared === undefined && candidates.length === 1) {
      // Who reads the files of one mesh often leaves out the Namespace.
      this.#once(`${kind}/${member.namespace}`, member, where, `is in the namespace "${member.namespace}", which is not among the files: ` +
        `all in it is taken to belong to the only ${kind}, "${candidates[0]!.name}"`)
      return this.ownName(candidates[0]!)
    }
    const selectors = `the namespaceSelector of ${quoted(picked.length === 0 ? candidates : picked)}`
    this.#say('error', member, where, picked.length > 1
      ? `is in the namespace "${member.namespace}", which ${selectors} all select: a ${kind} must be told apart by labels`
      : declared === undefined
        ? `is in the namespace "${member.namespace}", which is not among the files, so that ${selectors} cannot be applied: add the Namespace, with its labels`
        : `is in the namespace "${member.namespace}", which ${selectors} does not select: label the Namespace for one of them`)
    return { kind: 'unread', where }
  }

  #once(key: string, member: Manifest, where: string, message: string): void {
    if (this.#assumed.has(key)) return
    this.#assumed.add(key)
    this.#say('warning', member, where, message)
  }

  #say(severity: Fault['severity'], manifest: Manifest, path: string, message: string): void {
    this.#tell(faultOf(manifest, severity, path, message))
  }
}
