import { readJson } from '../../../config-file/json.ts'
import { plainOf } from '../../../config-file/piece.ts'
import type { Fault, Source } from '../../found.ts'
import { giveVariable } from '../left-open.ts'
import { types } from './dialect.ts'
import { dig } from './expression.ts'
import { below, trace, type Traced } from '../../body/traced.ts'

type Json = Readonly<Record<string, unknown>>

/** One resource of a state, or of a plan. */
export interface StateResource {
  readonly address: string
  readonly type: string
  readonly values: Traced
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
const listOf = (value: unknown): readonly Json[] => Array.isArray(value) ? value.filter(isObject) : []

/** A state of many megabytes is read by the platform; what it says of a broken one quotes the secrets in it. */
const jsonOf = (text: string): Json => {
  try {
    return JSON.parse(text) as Json
  } catch {
    return plainOf(readJson(text)) as Json
  }
}

/**
 * The App Mesh resources in what `terraform show -json` says of a state or of a plan, or in a state file itself.
 * `undefined` where the source is none of these. Throws `Unreadable` for JSON that begins as one of them, and is broken.
 */
export const resourcesIn = (
  { file, text }: Source, variables: Json, tell: (fault: Fault) => void,
): readonly StateResource[] | undefined => {
  if (!/^\s*\{/.test(text) || !/"(?:format_version|terraform_version)"/.test(text)) return undefined
  const top = jsonOf(text)
  if (isObject(top.planned_values)) return planned(top, variables, file, tell)
  if (isObject(top.values)) return [...moduleResources(top.values.root_module)].map(({ address, type, values }) => ({ address, type, values: trace(values, '') }))
  if (typeof top.version === 'number' && top.version < 4 && Array.isArray(top.modules)) {
    const message = `is ${top.version}, from before Terraform 0.12: write the state anew with a later Terraform (terraform show -json)`
    tell({ severity: 'error', file, path: 'version', message })
    return []
  }
  if (top.version === 4 && Array.isArray(top.resources)) return [...fileResources(top)]
  // A state without anything in it.
  return typeof top.format_version === 'string' || top.version === 4 ? [] : undefined
}

interface Shown { readonly address: string, readonly type: string, readonly values: Json }

function* moduleResources(module: unknown): Iterable<Shown> {
  if (!isObject(module)) return
  for (const { address, mode, type, values } of listOf(module.resources)) {
    if (mode === 'managed' && typeof type === 'string' && type.startsWith('aws_appmesh_') && isObject(values)) yield { address: String(address), type, values }
  }
  for (const child of listOf(module.child_modules)) yield* moduleResources(child)
}

/** What a state file has, whose form is Terraform's own affair, and has been the same since 2019. */
function* fileResources(state: Json): Iterable<StateResource> {
  for (const { mode, type, name, module, instances } of listOf(state.resources)) {
    if (mode !== 'managed' || typeof type !== 'string' || !type.startsWith('aws_appmesh_')) continue
    for (const { attributes, index_key: key } of listOf(instances)) {
      const index = key === undefined ? '' : `[${JSON.stringify(key)}]`
      yield { address: `${typeof module === 'string' ? `${module}.` : ''}${type}.${String(name)}${index}`, type, values: trace(attributes ?? {}, '') }
    }
  }
}

/** A plan does not know what the apply will tell, as the id of a mesh; its configuration says where that comes from. */
const planned = (plan: Json, variables: Json, file: string, tell: (fault: Fault) => void): readonly StateResource[] => {
  const shown = [...moduleResources((plan.planned_values as Json).root_module)]
  const unknown = new Map(listOf(plan.resource_changes).map(({ address, change }) => [String(address), isObject(change) ? change.after_unknown : undefined]))
  const root = isObject(plan.configuration) ? plan.configuration.root_module : undefined
  const byAddress = new Map(shown.map((one) => [one.address, one]))
  return shown.map(({ address, type, values }) => {
    const resolve = (reference: string): unknown => {
      const from = `${moduleOf(address)}${reference}`
      return Object.hasOwn(variables, from) ? variables[from] : known(from, byAddress)
    }
    const missing = (where: string, reference: string | undefined): void => {
      tell({
        severity: 'error', file, resource: address, path: where,
        message: reference === undefined ? 'is known after the apply only: read the state after it (terraform show -json)'
          : `needs ${reference}, which is known after the apply only: read the state after it (terraform show -json), ` +
            `or ${giveVariable(`${moduleOf(address)}${reference}`)}`,
      })
    }
    return { address, type, values: filled(values, unknown.get(address), expressionsAt(root, address), '', resolve, missing) }
  })
}

const moduleOf = (address: string): string => /^(?:module\.[^.[]+(?:\[[^\]]*\])?\.)*/.exec(address)![0]

/** What the configuration says of a resource, whatever its index. */
const expressionsAt = (root: unknown, address: string): unknown => {
  const calls = [...moduleOf(address).matchAll(/module\.([^.[]+)/g)].map(([, name]) => name!)
  let module: unknown = root
  for (const name of calls) module = part(part(part(module, 'module_calls'), name), 'module')
  const own = address.slice(moduleOf(address).length).replace(/\[.*\]$/, '')
  return isObject(module) ? listOf(module.resources).find((resource) => resource.address === own)?.expressions : undefined
}

/** A value that the plan has, or can be told of App Mesh's own resources: the id of a mesh is its name. */
const known = (reference: string, resources: ReadonlyMap<string, Shown>): unknown => {
  const dot = reference.lastIndexOf('.')
  const resource = resources.get(reference.slice(0, dot))
  const attribute = reference.slice(dot + 1)
  if (!resource || !Object.hasOwn(types, resource.type)) return undefined
  if (Object.hasOwn(resource.values, attribute)) return resource.values[attribute]
  return resource.type === 'aws_appmesh_mesh' && attribute === 'id' ? resource.values.name : undefined
}

/** Puts what the configuration tells where the plan knows nothing. What no expression is about is the provider's to fill in. */
const filled = (
  value: unknown, unknown: unknown, expression: unknown, where: string, resolve: (reference: string) => unknown,
  missing: (where: string, reference: string | undefined) => void,
): Traced => {
  if (unknown === true) {
    const reference = isObject(expression) && Array.isArray(expression.references) ? String(expression.references[0]) : undefined
    const told = reference === undefined ? undefined : resolve(reference)
    if (told !== undefined) return trace(told, where)
    if (isObject(expression)) missing(where, reference)
    return isObject(expression) ? { kind: 'unread', where } : { kind: 'plain', where, value: null }
  }
  if (Array.isArray(value)) {
    return { kind: 'list', where, items: value.map((item, at) => filled(item, part(unknown, at), part(expression, at), `${where}[${at}]`, resolve, missing)) }
  }
  if (!isObject(value)) return trace(value, where)
  const names = new Set([...Object.keys(value), ...(isObject(unknown) ? Object.keys(unknown).filter((name) => unknown[name] === true) : [])])
  return {
    kind: 'object',
    where,
    entries: new Map([...names].map((name) =>
      [name, filled(value[name], part(unknown, name), part(expression, name), below(where, name), resolve, missing)])),
  }
}

const part = (value: unknown, name: string | number): unknown => typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? dig(value, [name], '') : undefined
