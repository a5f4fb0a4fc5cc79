import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { readCloudFormation } from '../../src/app-mesh/formats/cloudformation.ts'
import type { Found, Source } from '../../src/app-mesh/found.ts'
import type { FormatReader } from '../../src/app-mesh/formats/format.ts'
import { readAppMesh } from '../../src/app-mesh/index.ts'
import { readKubernetes } from '../../src/app-mesh/formats/kubernetes.ts'
import { nameField } from '../../src/app-mesh/body/shape.ts'
import { readTerraform } from '../../src/app-mesh/formats/terraform.ts'
import type { Resource } from './every-field.ts'
import { asManifests, asState, asTemplate } from './writers.ts'

const corpus = process.env.ENMESH_APP_MESH_CORPUS ?? path.resolve(import.meta.dirname, '../../../shared/corpus')
const skip = existsSync(path.join(corpus, 'manifest.json')) ? false : 'no corpus of App Mesh definitions is at hand (ENMESH_APP_MESH_CORPUS)'

/** One mesh document of the corpus, and what it was made of. */
interface Entry {
  readonly file: string
  readonly formats: readonly string[]
  readonly originals: readonly string[]
  readonly substituted: Readonly<Record<string, string | number>>
  readonly dangling: readonly string[]
}

type Body = Readonly<Record<string, unknown>>

const json = (file: string): unknown => JSON.parse(readFileSync(path.join(corpus, file), 'utf8'))

const lists = {
  virtualGateways: 'virtualGateway', gatewayRoutes: 'gatewayRoute', virtualServices: 'virtualService', virtualRouters: 'virtualRouter',
  routes: 'route', virtualNodes: 'virtualNode',
} as const

const key = (kind: Found['kind'], body: Body): string =>
  [kind, body.virtualRouterName, body.virtualGatewayName, body[nameField(kind)]].join('/')

/** All resources of a document in the API's shape. */
const resourcesOf = (document: Readonly<Record<string, unknown>>): Map<string, Body> => new Map([
  ...[document.mesh].flat().map((mesh) => [key('mesh', mesh as Body), mesh as Body] as const),
  ...Object.entries(lists).flatMap(([list, kind]) =>
    ((document[list] ?? []) as readonly Body[]).map((body) => [key(kind, body), body] as const)),
])

/** `Parameter X`, `Ref X (Type)` and `${X}` all name what is given as X. */
const parametersOf = ({ substituted }: Pick<Entry, 'substituted'>): Record<string, string> => Object.fromEntries(Object.entries(substituted).map(([name, value]) =>
  [name.replace(/^\$\{(.*)\}$/, '$1').replace(/^(?:Parameter|Ref|GetAtt) /, '').replace(/ \(.*\)$/, ''), String(value)]))

/** The templates of one walkthrough are filled in once for each microservice, by its directory. */
const sourceOf = (file: string): Source => {
  const [, service] = /microservices\/([^/]+)\//.exec(file) ?? []
  const text = readFileSync(path.join(corpus, 'originals', file), 'utf8')
  if (service === undefined) return { file, text }
  return {
    file,
    text: text.replaceAll('${MICROSERVICE_NAME}', service)
      .replaceAll('${CANARY_ROUTES}', `{ virtualNodeRef: { name: ${service}-1 }, weight: 1 }`),
  }
}

/** What the walkthroughs give on the command line of `update-route`. */
const updated: Readonly<Record<string, Body>> = {
  'updated-route.json': { virtualRouterName: 'backend-vr', routeName: 'backend-route' },
}

/** The file as it is; one that walkthroughs give to `update-route` together with what its command line says. */
const given = (file: string): Source => {
  const { [path.basename(file)]: named } = updated
  return named ? { file, text: JSON.stringify({ ...named, ...json(path.join('originals', file)) as Body }) } : sourceOf(file)
}

const compare = async ({ file, originals, ...entry }: Entry): Promise<{ leaves: number, warnings: number }> => {
  const twin = json(path.join('api-json', file)) as Body
  const mesh = (twin.mesh as Body).meshName as string
  // Some walkthroughs make the mesh on the command line: neither it nor its name stands in their files.
  const { document, warnings } = await readAppMesh(originals.map(given), { mesh, parameters: parametersOf(entry) })
  assert.deepEqual(resourcesOf({ ...document }), resourcesOf(twin), file)
  return { leaves: leavesOf(twin), warnings: warnings.length }
}

const leavesOf = (value: unknown): number =>
  typeof value === 'object' && value !== null ? Object.values(value).reduce<number>((sum, field) => sum + leavesOf(field), 0) : 1

const compareAll = async (t: TestContext, name: string, belongs: (entry: Entry) => boolean): Promise<void> => {
  const entries = (json('manifest.json') as readonly Entry[]).filter((entry) => entry.originals.length > 0 && belongs(entry))
  let leaves = 0
  let warnings = 0
  for (const entry of entries) {
    const compared = await compare(entry)
    leaves += compared.leaves
    warnings += compared.warnings
  }
  assert.ok(entries.length > 0)
  const { length } = entries
  t.diagnostic(`${name}: ${length} of ${length} sets of originals give the same document, ${leaves} leaves, ${warnings} warnings`)
}

test('CloudFormation originals give the same documents as their twins in the API\'s shape', { skip }, (t) =>
  compareAll(t, 'CloudFormation', ({ formats }) => formats.includes('cloudformation') && !formats.includes('cli-json')))

test('CloudFormation originals with updated routes give the same documents', { skip }, (t) =>
  compareAll(t, 'CloudFormation and CLI JSON', ({ formats }) => formats.includes('cloudformation') && formats.includes('cli-json')))

test('Kubernetes originals give the same documents as their twins in the API\'s shape', { skip }, (t) =>
  compareAll(t, 'Kubernetes', ({ formats }) => formats.some((format) => format.startsWith('k8s'))))

/** Writes each document of the corpus in another format, and reads it back. */
const thereAndBack = async (t: TestContext, read: FormatReader, write: (resources: readonly Resource[]) => string, fits: (entry: Entry) => boolean): Promise<void> => {
  const entries = (json('manifest.json') as readonly Entry[]).filter(fits)
  for (const { file } of entries) {
    const document = resourcesOf(json(path.join('api-json', file)) as Body)
    const resources = [...document].map(([name, body]) => ({ kind: name.slice(0, name.indexOf('/')) as Found['kind'], body }))
    const { found, faults } = await read([{ file, text: write(resources) }], {})
    assert.deepEqual(faults, [], file)
    assert.deepEqual(new Map(found.map(({ kind, body }) => [key(kind, body as Body), body])), document, file)
  }
  t.diagnostic(`${entries.length} documents there and back`)
}

test('every document comes back out of a template', { skip }, (t) =>
  thereAndBack(t, readCloudFormation, (resources) => JSON.stringify(asTemplate(resources)), () => true))

test('every document comes back out of a Terraform state', { skip }, (t) =>
  thereAndBack(t, readTerraform, (resources) => JSON.stringify(asState(resources)), () => true))

const sayableInManifests = ({ file, dangling }: Entry): boolean =>
  dangling.length === 0 && !/"(?:meshOwner|tags)"|"mesh": \[|"spec": \{\}/.test(readFileSync(path.join(corpus, 'api-json', file), 'utf8'))

test('every document that manifests can say comes back out of them', { skip }, (t) =>
  thereAndBack(t, readKubernetes, asManifests, sayableInManifests))
