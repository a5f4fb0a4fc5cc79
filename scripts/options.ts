import { inputSchema, writtenSchema, type JsonSchema } from '../src/config-file/schema.ts'
import { registrars } from '../src/registrars/index.ts'
import { matchers } from '../src/matchers/index.ts'
import { announcementConfig } from '../src/server/announce-options.ts'
import { gatewayConfig } from '../src/server/gateway/config.ts'

/** One option as the page lists it. */
export interface Option {
  readonly name: string
  readonly type: string
  readonly default: string
  readonly meaning: string
}

const code = (value: unknown): string => `\`${JSON.stringify(value)}\``

const isDuration = ({ anyOf = [] }: JsonSchema): boolean => anyOf.length === 2 && (anyOf[1]?.pattern?.endsWith('(ms|s|m|h)$') ?? false)

const range = ({ minimum, exclusiveMinimum, maximum }: JsonSchema): string => {
  const high = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? '' : `at most ${maximum}`
  const low = minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER ? '' : `at least ${minimum}`
  const limits = [exclusiveMinimum === undefined ? low : `above ${exclusiveMinimum}`, high].filter((limit) => limit !== '')
  return limits.length === 0 ? '' : `, ${limits.join(', ').replace(/^at least (.*), at most (.*)$/, '$1 to $2')}`
}

/** What a reference stands for: members of families that hold others are written once. */
const resolved = (schema: JsonSchema): JsonSchema => {
  const { $ref, ...own } = schema
  return $ref === undefined ? schema : { ...resolved(inputSchema().$defs![$ref.replace('#/$defs/', '')]!), ...own }
}

/** The property that tells the branches of a union apart. */
const tellingOf = ([first = {}]: readonly JsonSchema[]): string =>
  Object.entries(resolved(first).properties ?? {}).find(([, property]) => resolved(property).const !== undefined)?.[0] ?? 'type'

const typeOf = (written: JsonSchema): string => {
  const schema = resolved(written)
  const { type, anyOf, oneOf, items, properties, additionalProperties } = schema
  if (isDuration(schema)) return 'duration'
  if (anyOf) return [...new Set(anyOf.map(typeOf))].join(' or ')
  if (oneOf) return `object with a \`${tellingOf(oneOf)}\`: ${oneOf.map((one) => code(resolved(one).properties?.[tellingOf(oneOf)]?.const)).join(', ')}`
  if (schema.const !== undefined) return code(schema.const)
  if (schema.enum) return schema.enum.map(code).join(', ')
  if (items) return `list of ${typeOf(items)}`
  if (properties) return 'object'
  if (typeof additionalProperties === 'object') return `by name: ${typeOf(additionalProperties)}`
  return `${type === 'string' ? 'text' : String(type)}${range(schema)}`
}

const units = [['m', 60_000], ['s', 1_000]] as const

const duration = (ms: number): string => {
  const [unit, size] = units.find(([, size]) => ms >= size && ms % size === 0) ?? ['ms', 1]
  return ms === 0 ? '`0`' : `\`${ms / size}${unit}\``
}

const defaultOf = (schema: JsonSchema, needed: boolean): string => {
  const preset = schema.default
  if (preset === undefined) return needed ? 'needed' : '–'
  if (typeof preset === 'number' && isDuration(schema)) return duration(preset)
  return typeof preset === 'object' && preset !== null && Object.keys(preset).length === 0 ? 'as below' : code(preset)
}

/** The options inside an option: in its object, its branches, its items, or what it has by name. */
const within = (schema: JsonSchema, name: string): readonly Option[] => {
  const { properties, additionalProperties, items, anyOf = [], oneOf } = schema
  if (properties) return optionsOf(schema, `${name}.`)
  if (items) return within(items, `${name}[]`)
  if (typeof additionalProperties === 'object') return within(additionalProperties, `${name}.NAME`)
  if (oneOf && tellingOf(oneOf) !== 'type') return inBranches(oneOf, name)
  return anyOf.flatMap((branch) => within(branch, name))
}

/** The options of a union's branches, each once; those that not all have say who has them. */
const inBranches = (branches: readonly JsonSchema[], name: string): readonly Option[] => {
  const telling = tellingOf(branches)
  const found = new Map<string, { option: Option, having: string[] }>()
  for (const branch of branches.map(resolved)) {
    const type = code(branch.properties?.[telling]?.const)
    for (const option of within(branch, name).filter((option) => option.name !== `${name}.${telling}`)) {
      const known = found.get(option.name)
      if (known) known.having.push(type)
      else found.set(option.name, { option, having: [type] })
    }
  }
  return [...found.values()].map(({ option, having }) => having.length === branches.length ? option
    : { ...option, meaning: `${option.meaning} (${having.join(', ')})` })
}

/** The options of an object, each followed by those inside it. The members of families have tables of their own. */
export const optionsOf = ({ properties = {}, required = [] }: JsonSchema, prefix = ''): readonly Option[] =>
  Object.entries(properties).filter(([name, { const: only }]) => name !== 'type' || only === undefined).flatMap(([name, schema]) => [
    {
      name: `${prefix}${name}`,
      type: typeOf(schema),
      default: defaultOf(schema, required.includes(name)),
      meaning: schema.description ?? '',
    },
    ...within(schema, `${prefix}${name}`),
  ])

const table = (options: readonly Option[]): string => options.length === 0 ? 'No options.' : [
  '| option | type | default | meaning |',
  '|---|---|---|---|',
  ...options.map((option) => `| \`${option.name}\` | ${option.type} | ${option.default} | ${option.meaning.replaceAll('|', '\\|')} |`),
].join('\n')

const kindTables = (family: JsonSchema): string => (resolved(family).oneOf ?? []).map(resolved)
  .map((kind) => `### \`type: ${String(kind.properties?.['type']?.const)}\`\n\n${table(optionsOf(kind))}`).join('\n\n')

const objectOf = (schema: JsonSchema | boolean | undefined): JsonSchema => typeof schema === 'object' ? schema : {}

/** The page of all options, made of the schemas and nothing else. */
export const optionsPage = (): string => {
  const { services, clusters, ...whole } = inputSchema().properties ?? {}
  const service = objectOf(services?.additionalProperties).anyOf ?? []
  const route = service.find(({ properties }) => properties?.['routes'])?.properties?.['routes']?.items ?? {}
  const cluster = objectOf(clusters?.additionalProperties)
  const { registry = {}, balancer = {} } = cluster.properties ?? {}
  const announcement = writtenSchema(announcementConfig(registrars))
  const { registry: place = {}, ...announced } = announcement.properties ?? {}
  return `# Options

Every option of a configuration, made of the schemas in the source by \`npm run docs:options\`. A duration is a number of milliseconds,
or text such as \`'250ms'\`, \`'2s'\`, \`'1.5m'\`, \`'1h'\`. \`NAME\` stands for a name of your own, \`[]\` for an item of a list;
– is no default. Unknown options are faults.
How to write a configuration to a file: [Configuration](guides/configuration.md).

## The whole

${table([
    { name: 'services', type: 'by name: a service', default: '`{}`', meaning: services?.description ?? '' },
    { name: 'clusters', type: 'by name: a cluster', default: '`{}`', meaning: clusters?.description ?? '' },
    ...optionsOf({ ...inputSchema(), properties: whole }),
  ])}

## A service

\`services.NAME\`, where the name is the host that callers dial, with or without a port, is one of

- a list of endpoints, as the registry \`static\` has them: a cluster of its own with every default;
- \`{ cluster: 'NAME' }\`: everything goes to one cluster; every option of a route may stand beside it but \`name\`, \`match\`, \`to\` and \`priority\`;
- \`{ routes: [ … ] }\`: one or more routes, of which the best match wins.

## A route

\`services.NAME.routes[]\`

${table(optionsOf(route))}

## A cluster

\`clusters.NAME\`

${table(optionsOf(cluster))}

## Registries

\`clusters.NAME.registry\`: ${registry.description ?? ''}

${kindTables(registry)}

## Balancers

\`clusters.NAME.balancer\`: ${balancer.description ?? ''}

${kindTables(balancer)}

## A gateway

What \`createGateway(mesh, options)\` of \`enmesh/server\` takes, and \`tls\` and \`onProblem\`: [A gateway](guides/gateway.md). Its \`match\` is that of a route.

${table(optionsOf(writtenSchema(gatewayConfig(matchers))).filter(({ name }) => !name.startsWith('routes[].match.')))}

## An announcement

What \`announce(server, options)\` of \`enmesh/server\` takes: [Registration](guides/registration.md).

${table([
    { name: 'registry', type: 'object with a `type`', default: 'needed', meaning: place.description ?? '' },
    ...optionsOf({ ...announcement, properties: announced }),
  ])}

### \`registry\` of an announcement

${kindTables(place).replaceAll('### `type:', '#### `type:')}
`
}
