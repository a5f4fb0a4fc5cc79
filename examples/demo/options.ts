import { parseArgs } from 'node:util'
import { directoryKinds, type DirectoryKind } from './directory.ts'

/** What the demo is asked for. */
export interface Options {
  /** Whether the shop stays open after the story. */
  readonly keep: boolean
  /** Where the services find one another. */
  readonly registry: DirectoryKind
  /** Whether the services reach one another as the App Mesh definition of the shop says. */
  readonly appMesh: boolean
  /** Whether the shop's front door is `createGateway`, without code of its own. */
  readonly gateway: boolean
  /** The acts to play, by number. */
  readonly acts: readonly number[]
}

const isKind = (text: string): text is DirectoryKind => (directoryKinds as readonly string[]).includes(text)

/** Reads the command line; throws a `TypeError` that says what to write. */
export const readOptions = (args: readonly string[], actCount: number): Options => {
  const { values: { keep, registry, acts, gateway, 'app-mesh': appMesh } } = parseArgs({
    args: [...args],
    options: {
      keep: { type: 'boolean', default: false },
      registry: { type: 'string', default: 'static' },
      acts: { type: 'string' },
      'app-mesh': { type: 'boolean', default: false },
      gateway: { type: 'boolean', default: false },
    },
  })
  if (!isKind(registry)) throw new TypeError(`--registry takes ${directoryKinds.join(', ')}, not '${registry}'`)
  if (appMesh && registry !== 'static') throw new TypeError('--app-mesh has addresses in the place of discovery: leave --registry out')
  if (appMesh && gateway) throw new TypeError('--gateway has routes of its own, and the definition has no gateway: leave --app-mesh out')
  const numbers = acts?.split(',').map(Number) ?? Array.from({ length: actCount }, (_, index) => index + 1)
  const wrong = numbers.some((number) => !Number.isInteger(number) || number < 1 || number > actCount)
  if (wrong || new Set(numbers).size < numbers.length) {
    throw new TypeError(`--acts takes numbers from 1 to ${actCount} with commas between, each once, as in 1,2: not '${acts}'`)
  }
  return { keep, registry, appMesh, gateway, acts: numbers.sort((one, other) => one - other) }
}
