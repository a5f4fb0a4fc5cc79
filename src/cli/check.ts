import { configOf, readDefinitions, refuseIdle, type Definition, type DefinitionOptions } from './definitions.ts'
import { howMany, stops, tally, type ToldFault } from './faults.ts'
import { exit, type Result } from './result.ts'
import type { World } from './world.ts'

/** What a definition consists of. */
interface Summary {
  readonly kind: Definition['kind']
  readonly files: readonly string[]
  readonly mesh?: string
  /** How many there are of each, by name. */
  readonly counts: Readonly<Record<string, number>>
}

const kinds = {
  virtualServices: 'virtual service', virtualRouters: 'virtual router', routes: 'route', virtualNodes: 'virtual node',
  virtualGateways: 'virtual gateway', gatewayRoutes: 'gateway route',
} as const

type Kind = keyof typeof kinds

const summaryOf = (definition: Definition): Summary => {
  const { kind, files } = definition
  if (definition.kind === 'enmesh') {
    const { services = {}, clusters = {} } = definition.input
    return { kind, files, counts: { services: Object.keys(services).length, clusters: Object.keys(clusters).length } }
  }
  const { document } = definition.reading
  const counts = (Object.keys(kinds) as Kind[]).map((of) => [of, document[of].length] as const)
  return { kind, files, mesh: document.mesh.meshName, counts: Object.fromEntries(counts) }
}

const inWords = ({ files, mesh, counts }: Summary): string => {
  const parts = Object.entries(counts).filter(([, count]) => count > 0)
    .map(([name, count]) => howMany(count, kinds[name as Kind] ?? name.replace(/s$/, '')))
  const what = parts.length === 0 ? 'nothing in it' : parts.join(', ')
  return `${files.join(', ')}: ${mesh === undefined ? 'a configuration of enmesh' : `App Mesh, mesh '${mesh}'`}: ${what}`
}

/** Finds every fault in definitions and configurations. */
export const check = async (paths: readonly string[], options: DefinitionOptions, world: World): Promise<Result> => {
  const { all, faults, withheld } = await readDefinitions(paths, options, world)
  if (!stops(faults)) refuseIdle(all, options)
  const later: ToldFault[] = []
  for (const definition of all) later.push(...(await configOf(definition, options)).faults)
  const told = [...faults, ...later]
  const summaries = all.map(summaryOf)
  return {
    code: stops(told) ? exit.faults : exit.well,
    faults: told,
    warnings: 'told',
    text: (paint) => [
      ...summaries.map(inWords),
      paint(stops(told) ? 'red' : told.length > 0 ? 'yellow' : 'green', tally(told)),
    ].join('\n'),
    data: { definitions: summaries },
    withheld,
  }
}
