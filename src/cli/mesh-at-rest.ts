import { createMesh, type Mesh } from '../mesh/mesh.ts'
import type { MeshInput } from '../mesh/config.ts'
import { isPlain } from '../mesh/faults.ts'
import { rememberCopy } from '../mesh/sources.ts'
import { registries } from '../registries/index.ts'
import type { Registry } from '../registries/registry.ts'
const silent: Registry = async function* ({ signal }) {
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
}

/** Whether a file is named anywhere within. */
const namesFiles = (value: unknown): boolean =>
  isPlain(value) && (Object.hasOwn(value, 'file') || Object.values(value).some(namesFiles))

/** The same without the certificates that stand in files: these are where the service runs. */
const withoutFiles = (input: MeshInput): MeshInput => {
  const { clusters } = input
  if (!isPlain(clusters)) return input
  const copies = Object.entries(clusters).map(([name, cluster]) =>
    [name, isPlain(cluster) && namesFiles(cluster.tls) ? rememberCopy({ ...cluster, tls: true }, cluster) : cluster] as const)
  return rememberCopy({ ...input, clusters: rememberCopy(Object.fromEntries(copies), clusters) }, input)
}

/**
 * A mesh that is only there to be asked: it asks no registry, opens no socket and reads no file.
 * Throws a `MeshConfigError` for a configuration that does not hold together; close it.
 */
export const meshAtRest = (input: MeshInput): Mesh => createMesh(withoutFiles(input), {
  registries: { ...registries, make: () => silent },
  transport: () => Promise.reject(new TypeError('a mesh at rest sends nothing')),
})
