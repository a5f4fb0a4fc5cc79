/** What the ARN of an App Mesh resource names: `arn:aws:appmesh:us-west-2:111122223333:mesh/shop/virtualNode/pricing`. */
export interface AppMeshArn {
  readonly mesh: string
  /** The resource itself; the mesh where the ARN is of a mesh. */
  readonly name: string
}

const appMeshArn = /^arn:[^:]*:appmesh(?:-preview)?:[^:]*:[^:]*:mesh\/([^/]+)(?:\/.*?([^/]+))?$/

/** Reads the ARN of an App Mesh resource; `undefined` for any other text. */
export const readArn = (text: string): AppMeshArn | undefined => {
  const [found, mesh, name] = appMeshArn.exec(text) ?? []
  return found === undefined ? undefined : { mesh: mesh!, name: name ?? mesh! }
}
