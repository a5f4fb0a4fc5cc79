import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { meshedS3 } from '../../examples/with/aws-sdk.ts'
import { meshedAxios } from '../../examples/with/axios.ts'
import { meshedGot } from '../../examples/with/got.ts'
import { meshedKy } from '../../examples/with/ky.ts'
import { meshedPricing } from '../../examples/with/openapi-fetch.ts'
import type { Mesh } from '../../src/index.ts'

const url = 'http://pricing.local/price/42'

/** What is asked of every library: the price of 42, as text or the library's own failure. */
export interface Library {
  readonly get: (mesh: Mesh, signal?: AbortSignal) => Promise<string>
  /** Sends `{"price":1}` and says what came back. */
  readonly send: (mesh: Mesh) => Promise<string>
  /** How its users see a 503 of the service. */
  readonly status: RegExp
  /** The name of the error for a call that the mesh gave up; all have the mesh's code, and its error as they are or as their cause. */
  readonly failure: string
}

/** A bucket at the service `pricing.local`. */
export const bucket = (mesh: Mesh): S3Client => meshedS3(mesh, {
  endpoint: 'http://pricing.local', region: 'eu-central-1', forcePathStyle: true, credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
})

const body = JSON.stringify({ price: 1 })

/** The libraries of examples/with. */
export const libraries: Readonly<Record<string, Library>> = {
  'axios': {
    get: async (mesh, signal) => JSON.stringify((await meshedAxios(mesh).get(url, signal && { signal })).data),
    send: async (mesh) => JSON.stringify((await meshedAxios(mesh).post(url, { price: 1 })).data),
    status: /^AxiosError: Request failed with status code 503$/,
    failure: 'MeshError',
  },
  'ky': {
    get: async (mesh, signal) => JSON.stringify(await meshedKy(mesh)(url, signal && { signal }).json()),
    send: async (mesh) => JSON.stringify(await meshedKy(mesh).post(url, { json: { price: 1 } }).json()),
    status: /^HTTPError: Request failed with status code 503/,
    failure: 'MeshError',
  },
  'openapi-fetch': {
    get: async (mesh, signal) => {
      const { data, response } = await meshedPricing(mesh).GET('/price/{sku}', { params: { path: { sku: '42' } }, ...signal && { signal } })
      // It throws for no status: that is for its users to look at.
      if (!data) throw new Error(`status ${response.status}`)
      return JSON.stringify(data)
    },
    send: async (mesh) => {
      const { data } = await meshedPricing(mesh).POST('/price/{sku}', { params: { path: { sku: '42' } }, body: { price: 1 } })
      return JSON.stringify(data)
    },
    status: /^Error: status 503$/,
    failure: 'MeshError',
  },
  '@aws-sdk/client-s3': {
    get: async (mesh, signal) => {
      const { Body } = await bucket(mesh).send(new GetObjectCommand({ Bucket: 'price', Key: '42' }), signal && { abortSignal: signal })
      return Body!.transformToString()
    },
    send: async (mesh) => {
      const { ETag } = await bucket(mesh).send(new PutObjectCommand({ Bucket: 'price', Key: '42', Body: body }))
      return ETag!
    },
    status: /^SlowDown: /,
    failure: 'MeshError',
  },
  'got': {
    get: async (mesh, signal) => JSON.stringify(await meshedGot(mesh)(url, signal && { signal }).json()),
    send: async (mesh) => JSON.stringify(await meshedGot(mesh).post(url, { json: { price: 1 } }).json()),
    status: /^HTTPError: Request failed with status code 503/,
    failure: 'RequestError',
  },
}
