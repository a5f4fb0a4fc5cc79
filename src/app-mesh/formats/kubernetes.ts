import type { Fault, Found, Source } from '../found.ts'
import type { FormatReader } from './format.ts'
import { Cluster } from './kubernetes/cluster.ts'
import { group, manifestsIn, type Manifest } from './kubernetes/manifests.ts'
import { readV1beta1 } from './kubernetes/v1beta1.ts'
import { readV1beta2 } from './kubernetes/v1beta2.ts'
import { faultOf } from '../body/body.ts'
import { below } from '../body/traced.ts'

/**
 * Reads Kubernetes manifests of `appmesh.k8s.aws`, in the versions `v1beta2` and `v1beta1`: several documents to a file, and
 * lists. Names, references and the mesh that something belongs to follow the controller's rules; manifests of other groups are
 * left alone, but for the labels of namespaces. What the API of Kubernetes would have left out is left out with a warning.
 */
export const readKubernetes: FormatReader = async (sources, options) => {
  const faults: Fault[] = []
  const tell = (fault: Fault): void => { faults.push(fault) }
  const taken = new Set<Source>()
  const manifests: Manifest[] = []
  for (const source of sources) {
    const read = await manifestsIn(source, options, tell)
    if (!read) continue
    taken.add(source)
    manifests.push(...read)
  }
  const last = applied(manifests, tell)
  const cluster = new Cluster(last, tell)
  return { found: last.flatMap((manifest) => readManifest(manifest, cluster, tell)), faults, taken }
}

/** What a cluster has after all manifests were applied in their order: of one object the last. */
const applied = (manifests: readonly Manifest[], tell: (fault: Fault) => void): readonly Manifest[] => {
  const objects = new Map<string, Manifest>()
  for (const manifest of manifests) {
    const key = `${manifest.kind}/${manifest.namespace}/${manifest.name}`
    const earlier = objects.get(key)
    if (earlier && earlier.kind !== 'Namespace') {
      tell({
        severity: 'warning', file: earlier.file, ...earlier.position(earlier.top.where), resource: earlier.resource,
        message: `is declared again in ${manifest.file}, and the later counts, as for kubectl apply`,
      })
    }
    objects.set(key, manifest)
  }
  return [...objects.values()]
}

const readManifest = (manifest: Manifest, cluster: Cluster, tell: (fault: Fault) => void): readonly Found[] => {
  switch (manifest.version) {
    case `${group}v1beta2`: return readV1beta2(manifest, cluster, tell)
    case `${group}v1beta1`: return readV1beta1(manifest, tell)
  }
  if (manifest.version.startsWith(group)) {
    tell(faultOf(manifest, 'error', below(manifest.top.where, 'apiVersion'),
      `is "${manifest.version}", and ${group}v1beta2 and ${group}v1beta1 can be read`))
  }
  return []
}
