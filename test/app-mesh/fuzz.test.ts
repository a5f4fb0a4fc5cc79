import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parse, stringify } from 'yaml'
import { AppMeshError, fromAppMesh, readAppMesh, type Fault, type ResourceKind } from '../../src/app-mesh/index.ts'
import { meshAtRest } from '../../src/cli/mesh-at-rest.ts'
import { everyField, type Resource } from './every-field.ts'
import { everything } from './support.ts'
import { asConfiguration, asManifests, asState, asTemplate } from './writers.ts'

const lists = {
  virtualGateways: 'virtualGateway', gatewayRoutes: 'gatewayRoute', virtualServices: 'virtualService', virtualRouters: 'virtualRouter',
  routes: 'route', virtualNodes: 'virtualNode',
} as const satisfies Record<string, ResourceKind>

const { mesh, ...rest } = everything()
const resources: readonly Resource[] = [
  { kind: 'mesh', body: mesh },
  ...Object.entries(lists).flatMap(([list, kind]) => (rest[list as keyof typeof lists] as readonly Resource['body'][]).map((body) => ({ kind, body }))),
]

/** What stands in a place where it is not expected. */
const strange = fc.oneof(
  fc.constantFrom<unknown>(null, true, 0, -1, 1.5, 1e21, '', 'x', '80', '\u0000', '*', '${x}', '%{ if true }', '{{ .x }}', '__proto__', 'constructor', 'arn:aws:appmesh:::mesh/', [], {}, [[]], [null], {
    ['__proto__x']: 1 }, { Ref: 'x' }, { 'Fn::Sub': '${M}' }, { 'Fn::If': ['a'] }, 'x'.repeat(300)),
  fc.anything({ maxDepth: 2, withNullPrototype: false }).map((value) => JSON.parse(JSON.stringify(value ?? null) ?? 'null') as unknown),
)
const oddName = fc.constantFrom('__proto__', 'constructor', 'toString', 'Fn::Transform', 'Ref', '<<', 'spec', 'Spec', 'match', '', 'a.b', 'a[0]', 'dynamic', 'for_each', 'count')

type Change = readonly [kind: 'replace' | 'remove' | 'add' | 'double', at: number, name: string, value: unknown]

const change: fc.Arbitrary<Change> = fc.tuple(fc.constantFrom('replace', 'remove', 'add', 'double'), fc.nat(), oddName, strange)

type Container = unknown[] | Record<string, unknown>

/** Every object and list within a value. */
const containersIn = (value: unknown): readonly Container[] => {
  if (typeof value !== 'object' || value === null) return []
  return [value as Container, ...Object.values(value).flatMap(containersIn)]
}

const set = (container: Container, name: string, value: unknown): void => {
  Object.defineProperty(container, name, { value, enumerable: true, configurable: true, writable: true })
}

/** Changes a definition somewhere. */
const apply = (all: unknown, [kind, at, name, value]: Change): void => {
  const containers = containersIn(all)
  const container = containers[at % containers.length]!
  const keys = Object.keys(container)
  const key = keys[at % Math.max(1, keys.length)]
  if (kind === 'add' || key === undefined) set(container, Array.isArray(container) ? String(container.length) : name, value)
  else if (kind === 'replace') set(container, key, value)
  else if (kind === 'double' && Array.isArray(container)) container.push(container[Number(key)])
  else if (Array.isArray(container)) container.splice(Number(key), 1)
  else delete container[key]
}

const isSaid = ({ file, message, path, line, column }: Fault): boolean =>
  file !== '' && message.length > 3 && !/undefined|\[object|NaN|is not a function|Cannot read|call stack/.test(message) && path !== ''
  && (line === undefined) === (column === undefined) && (line === undefined || (line > 0 && column! > 0))

/** Reads what was changed: either it is a definition, which then makes a mesh, or every fault is told properly. */
const seeItIsTold = async (file: string, text: string): Promise<void> => {
  try {
    const { document, warnings } = await readAppMesh({ file, text })
    assert.deepEqual(warnings.filter((warning) => !isSaid(warning)), [], text)
    await run(() => fromAppMesh(document, { onWarning: () => {} }))
    for (const { virtualNodeName } of document.virtualNodes) await run(() => fromAppMesh(document, { as: virtualNodeName, onWarning: () => {} }))
  } catch (error) {
    assert.ok(error instanceof AppMeshError, `${String(error instanceof Error ? error.stack : error)}\n${text}`)
    assert.ok(error.faults.length > 0)
    assert.deepEqual(error.faults.filter((fault) => !isSaid(fault)), [], text)
  }
}

/** A definition that was accepted makes a mesh, or says why not. */
const run = async (make: () => ReturnType<typeof fromAppMesh>): Promise<void> => {
  try {
    await meshAtRest(make()).close()
  } catch (error) {
    if (!(error instanceof AppMeshError)) throw error
  }
}

type Write = (change: (written: unknown) => void) => string

const whole = <Written>(write: () => Written, text: (written: Written) => string): Write => (change) => {
  const written = structuredClone(write())
  change(written)
  return text(written)
}

/** The same resources as Terraform's language in JSON. */
const asJsonConfiguration = (): unknown => {
  const { values } = asState(resources) as { values: { root_module: { resources: { type: string, name: string, values: Record<string, unknown> }[] } } }
  const types = new Map<string, Record<string, unknown>>()
  for (const { type, name, values: { id: _id, arn: _arn, created_date: _date, tags_all: _tags, resource_owner: _owner, ...body } } of values.root_module.resources) {
    types.set(type, { ...types.get(type), [name]: body })
  }
  return { resource: Object.fromEntries(types) }
}

const formats: Readonly<Record<string, readonly [file: string, write: Write]>> = {
  'JSON of the API': ['mesh.json', whole(everything, (written) => JSON.stringify(written))],
  'a template in YAML': ['template.yaml', whole(() => asTemplate(resources), (written) => stringify(written))],
  'a template in JSON': ['template.json', whole(() => asTemplate(resources), (written) => JSON.stringify(written))],
  'manifests': ['manifests.yaml', whole(
    () => ({ apiVersion: 'v1', kind: 'List', items: asManifests(resources).split('---\n').slice(1).map((text) => parse(text) as unknown) }),
    (written) => stringify(written))],
  'a state': ['state.json', whole(() => asState(resources), (written) => JSON.stringify(written))],
  'a configuration': ['main.tf.json', whole(asJsonConfiguration, (written) => JSON.stringify(written))],
}

for (const [what, [file, write]] of Object.entries(formats)) {
  test(`${what}: whatever is changed in a definition is taken or told`, async () => {
    await readAppMesh({ file, text: write(() => {}) })
    await fc.assert(fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
      await seeItIsTold(file, write((written) => { for (const one of changes) apply(written, one) }))
    }), { numRuns: Number(process.env['ENMESH_FUZZ_RUNS'] ?? 40) })
  })

}

const texts: readonly (readonly [file: string, text: string])[] = [
  ...Object.values(formats).map(([file, write]) => [file, write(() => {})] as const), ['main.tf', asConfiguration(everyField)],
]

for (const [file, text] of texts) {
  test(`${file}: a text that is cut or spoilt somewhere is taken or told`, async () => {
    await fc.assert(fc.asyncProperty(fc.nat(text.length), fc.nat(40), fc.constantFrom('', '{', '}', '[', '"', ':', '\n', '\t', '&a ', '*a', '!x ', '\u0000', '\uFEFF', '${', '- '), async (at, length, inserted) => {
      await seeItIsTold(file, text.slice(0, at) + inserted + text.slice(at + length))
    }), { numRuns: Number(process.env['ENMESH_FUZZ_RUNS'] ?? 40) })
  })
}
