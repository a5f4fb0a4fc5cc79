/** What the ARN of an App Mesh resource names: `arn:aws:appmesh:us-west-2:111122223333:mesh/shop/virtualNode/pricing`. */
export interface AppMeshArn {
  readonly mesh: string
  /** The resource itself; the mesh where the ARN is of a mesh. */
  readonly name: string
}

const appMeshArn = /^arn:[^:]*:appmesh(?:-preview)?:[^:]*:[^:]*:mesh\//

/** Reads the ARN of an App Mesh resource; `undefined` for any other text. */
export const readArn = (text: string): AppMeshArn | undefined => {
  if (!appMeshArn.test(text)) return undefined
  const [, mesh, ...rest] = text.split('/')
  const name = rest.at(-1) ?? mesh
  return mesh && name ? { mesh, name } : undefined
}
