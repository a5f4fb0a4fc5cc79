import { createMesh, type Mesh, type MeshStatus } from '../mesh/mesh.ts'
import type { MeshInput } from '../mesh/config.ts'
import { isPlain } from '../mesh/faults.ts'
import { rememberCopy } from '../mesh/sources.ts'
import { registries } from '../registries/index.ts'
import type { Registry } from '../registries/registry.ts'
import type { Sources } from '../transport/tls/certificates.ts'

const silent: Registry = async function* ({ signal }) {
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
}

/** Whether a file is named anywhere within. */
const namesFiles = (value: unknown): boolean =>
  isPlain(value) && (Object.hasOwn(value, 'file') || Object.values(value).some(namesFiles))

/** What of TLS may stand in files; one part alone would not hold together. */
const material = ['ca', 'cert', 'key', 'passphrase']

const without = (tls: object): object => rememberCopy(Object.fromEntries(Object.entries(tls).filter(([name]) => !material.includes(name))), tls)

/** The same without the certificates that stand in files: these are where the service runs. */
const withoutFiles = (input: MeshInput): MeshInput => {
  const { clusters } = input
  if (!isPlain(clusters)) return input
  const copies = Object.entries(clusters).map(([name, cluster]) =>
    [name, isPlain(cluster) && namesFiles(cluster.tls) ? rememberCopy({ ...cluster, tls: without(cluster.tls as object) }, cluster) : cluster] as const)
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

/** Certificates as they are written, since their files are not read. Of a key there is nothing but its file. */
const written = (tls: object): object => {
  const { ca, cert, key } = tls as Sources
  return { ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert }), ...(key !== undefined && { key: typeof key === 'string' ? '(private key)' : key }) }
}

/**
 * What the mesh of a configuration says of itself: every effective value, and of certificates in files which files they are.
 * Throws a `MeshConfigError` as `meshAtRest` does.
 */
export const statusAtRest = async (input: MeshInput): Promise<MeshStatus> => {
  const mesh = meshAtRest(input)
  const status = mesh.status()
  await mesh.close()
  const clusters = Object.entries(status.clusters).map(([name, cluster]) => {
    const { tls } = input.clusters?.[name] ?? {}
    return [name, namesFiles(tls) ? { ...cluster, config: { ...cluster.config, tls: { ...cluster.config.tls as object, ...written(tls as object) } } } : cluster] as const
  })
  return { ...status, clusters: Object.fromEntries(clusters) as MeshStatus['clusters'] }
}
