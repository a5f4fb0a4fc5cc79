// Libraries that open sockets of their own: `own-sockets.mjs <url>`.
import { get } from 'node:http'
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import axios from 'axios'
import got from 'got'

const url = process.argv[2]
const s3 = new S3Client({ endpoint: url, region: 'a', forcePathStyle: true, credentials: { accessKeyId: 'a', secretAccessKey: 'b' } })
const ways = {
  'node:http': () => new Promise((resolve, reject) => get(url, resolve).on('error', reject)),
  'got': () => got(url),
  'axios': () => axios.get(url),
  'aws': () => s3.send(new GetObjectCommand({ Bucket: 'a', Key: 'b' })).then(({ Body }) => Body.transformToString()),
  'axios with adapter fetch': () => axios.get(url, { adapter: 'fetch' }),
}
for (const [name, ask] of Object.entries(ways)) {
  console.log(name, await ask().then(() => 'went out', (error) => `${error.code}, because of ${error.cause.code}`))
}
process.exit()
