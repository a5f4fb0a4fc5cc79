import { credentials, region, type CloudMapServer } from './cloud-map-server.ts'

process.env['TEST_CLOUD_MAP_WRITE_KEY'] = credentials.accessKeyId
process.env['TEST_CLOUD_MAP_WRITE_SECRET'] = credentials.secretAccessKey

/** The options by which a registry or a registrar reaches a server. */
export const cloudMapWayTo = (server: CloudMapServer) => ({
  region,
  endpoint: server.url,
  credentials: { accessKeyId: { env: 'TEST_CLOUD_MAP_WRITE_KEY' }, secretAccessKey: { env: 'TEST_CLOUD_MAP_WRITE_SECRET' } },
})
