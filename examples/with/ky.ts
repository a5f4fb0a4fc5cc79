import ky, { type KyInstance } from 'ky'
import type { Mesh } from 'enmesh'

/** A ky whose requests go through a mesh, which retries and has the deadline: both are off in ky, which would do them once more. */
export const meshedKy = (mesh: Mesh): KyInstance =>
  ky.create({ fetch: mesh.fetch, retry: 0, timeout: false })

/** The price of 42. */
export const ask = (mesh: Mesh): Promise<unknown> => meshedKy(mesh)('http://pricing.local/price/42').json()
