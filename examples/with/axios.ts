import axios, { type AxiosInstance } from 'axios'
import type { Mesh } from 'enmesh'

/** An axios whose requests go through a mesh. axios itself never retries; a plug-in such as axios-retry would multiply the mesh's retries. */
export const meshedAxios = (mesh: Mesh): AxiosInstance =>
  axios.create({ adapter: 'fetch', env: { fetch: mesh.fetch } })

/** The price of 42. */
export const ask = async (mesh: Mesh): Promise<unknown> =>
  (await meshedAxios(mesh).get('http://pricing.local/price/42')).data
