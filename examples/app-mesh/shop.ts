import type { MeshInput } from 'enmesh'
import { fromAppMesh, readAppMesh, type AppMeshDocument, type Endpoints } from 'enmesh/app-mesh'

/** Reads the shop's definition: a file or a directory, in whatever format. */
export const readShop = async (path: string): Promise<AppMeshDocument> => (await readAppMesh(path)).document

/**
 * How one virtual node of the shop reaches the others, as the definition says. `endpoints` is where these are on this machine,
 * in the place of their discovery.
 */
export const nodeMesh = (document: AppMeshDocument, as: string, endpoints: Endpoints): MeshInput =>
  fromAppMesh(document, { as, endpoints, onWarning: ({ resource, message }) => { console.log(`${resource}: ${message}`) } })

type Clusters = NonNullable<MeshInput['clusters']>

/** The same with circuit breakers, which App Mesh did not have: what `fromAppMesh` makes is plain data, to be changed at will. */
export const withBreakers = ({ clusters = {}, ...rest }: MeshInput, breaker: Clusters[string]['breaker']): MeshInput =>
  ({ ...rest, clusters: Object.fromEntries(Object.entries(clusters).map(([name, cluster]) => [name, { ...cluster, breaker }])) })

/** The same with new weights for one route. */
export const withWeights = ({ services = {}, ...rest }: MeshInput, service: string, route: string, weights: Record<string, number>): MeshInput => {
  const { routes } = services[service] as { readonly routes: readonly { readonly name?: string, readonly to: string | Record<string, number> }[] }
  return {
    ...rest,
    services: { ...services, [service]: { routes: routes.map((one) => one.name === route ? { ...one, to: weights } : one) } },
  } as MeshInput
}
