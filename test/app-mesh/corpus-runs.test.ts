import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fromAppMesh, readAppMesh, type AppMeshDocument, type CertificateFiles } from '../../src/app-mesh/index.ts'
import { createMesh, registries, type MeshInput } from '../../src/index.ts'
import type { Registry } from '../../src/registries/registry.ts'
import { fakeWire } from '../../src/testing/fake-wire.ts'
import { authority } from '../support/authority.ts'

const place = process.env['ENMESH_APP_MESH_CORPUS'] ?? join(import.meta.dirname, '../../../shared/corpus')
const documents = join(place, 'api-json')
const certificates = authority()
const skip = !existsSync(documents) ? `no definitions at ${documents}: set ENMESH_APP_MESH_CORPUS`
  : certificates ? false : 'no openssl here to make certificates with'

/** The same files for whatever a definition names. */
const files = (): Readonly<Record<string, CertificateFiles>> => {
  const at = (name: string): string => join(certificates!.directory, name)
  const all: CertificateFiles = { ca: at('root.pem'), cert: at('client.pem'), key: at('client.key') }
  return new Proxy({}, { get: () => all })
}

/** The registries with their real options; whatever is asked of them, there is one endpoint. */
const oneEndpoint: Registry = async function* () { yield [{ address: '10.0.0.1:80' }] }
const faked = { ...registries, make: (config: Parameters<typeof registries.make>[0], ...rest: [never]): Registry =>
  config.type === 'none' ? registries.make(config, ...rest) : oneEndpoint }

/** Nobody in particular, and every node and gateway of the mesh; documents may mention those of others. */
const callersOf = ({ mesh: { meshName }, virtualNodes, virtualGateways }: AppMeshDocument): readonly (string | undefined)[] => [
  undefined,
  ...virtualNodes.filter((node) => node.meshName === meshName).map(({ virtualNodeName }) => virtualNodeName),
  ...virtualGateways.filter((gateway) => gateway.meshName === meshName).map(({ virtualGatewayName }) => virtualGatewayName),
]

/** Calls every service once, with nothing but its name, and counts how that ends. */
const callAll = async (config: MeshInput, outcomes: Map<string, number>): Promise<void> => {
  const { send } = fakeWire(() => () => new Response('well'))
  const { accessLog } = config.telemetry ?? {}
  const quiet = accessLog ? { ...config, telemetry: { accessLog: { ...accessLog, path: '/dev/null' } } } : config
  const mesh = createMesh(quiet, { registries: faked as typeof registries, transport: send })
  for (const service of Object.keys(config.services ?? {})) {
    const host = /:\d+$/.test(service) ? service : `${service}:80`
    const outcome = await mesh.fetch(`http://${host}/`).then(({ status }) => String(status), (error: { readonly code: string }) => error.code)
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }
  await mesh.close()
}

test('every real definition runs, whoever the process is', { skip }, async (t) => {
  const outcomes = new Map<string, number>()
  let meshes = 0
  let clusters = 0
  for (const file of readdirSync(documents).filter((name) => name.endsWith('.json'))) {
    const { document } = await readAppMesh(join(documents, file))
    for (const as of callersOf(document)) {
      const config = fromAppMesh(document, { ...(as !== undefined && { as }), certificates: files(), onWarning: () => {} })
      await callAll(config, outcomes)
      meshes++
      clusters += Object.keys(config.clusters ?? {}).length
    }
  }
  t.diagnostic(`${meshes} meshes, ${clusters} clusters; calls: ${[...outcomes].map(([outcome, count]) => `${count} × ${outcome}`).join(', ')}`)
  assert.deepEqual([...outcomes.keys()].filter((outcome) => !['200', 'ENMESH_NO_ROUTE', 'ENMESH_NO_ENDPOINT'].includes(outcome)), [])
  assert.ok((outcomes.get('200') ?? 0) > meshes / 2)
})
