import { readJson } from '../../config-file/json.ts'
import { plainOf, Unreadable, type Piece } from '../../config-file/piece.ts'
import { placeIn, placeOf } from '../../mesh/faults.ts'
import { positionIn, positionsOf, type Positions } from '../body/positions.ts'
import type { BodyPath, Fault, Found, ResourceKind, Source } from '../found.ts'
import type { FormatReader, Reading } from './format.ts'

interface Naming {
  readonly kind: ResourceKind
  /** Under which the API answers with one, and whole documents list several. */
  readonly many: string
  /** The member that names it; the first of this table that a body has tells its kind. */
  readonly name: string
}

const namings: readonly Naming[] = [
  { kind: 'gatewayRoute', many: 'gatewayRoutes', name: 'gatewayRouteName' },
  { kind: 'route', many: 'routes', name: 'routeName' },
  { kind: 'virtualNode', many: 'virtualNodes', name: 'virtualNodeName' },
  { kind: 'virtualService', many: 'virtualServices', name: 'virtualServiceName' },
  { kind: 'virtualGateway', many: 'virtualGateways', name: 'virtualGatewayName' },
  { kind: 'virtualRouter', many: 'virtualRouters', name: 'virtualRouterName' },
  { kind: 'mesh', many: 'meshes', name: 'meshName' },
]

type Json = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

/** What the service adds to a resource, or takes for the request alone: no part of a definition. */
const withoutService = ({ metadata: _metadata, status: _status, clientToken: _token, ...body }: Json): Json => body

const awsCommand = (kind: ResourceKind): string => kind.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/** Where each value begins, with its name if it has one, by its place. */
const offsetsOf = (piece: Piece, place = '', offsets = new Map([['', piece.at]])): ReadonlyMap<string, number> => {
  const inner: readonly (readonly [string, number, Piece])[] =
    piece.kind === 'list' ? piece.items.map((item, at) => [placeIn(place, at), item.at, item])
    : piece.kind === 'object' ? piece.entries.map(({ name, at, value }) => [placeIn(place, name), at, value]) : []
  for (const [below, at, value] of inner) offsetsOf(value, below, offsets.set(below, at))
  return offsets
}

class Collector {
  readonly found: Found[] = []
  readonly faults: Fault[] = []
  readonly #file: string
  readonly #position: Positions

  constructor(file: string, position: Positions) {
    this.#file = file
    this.#position = position
  }

  /** What stands at the top of a file, or in a list there. */
  any(value: unknown, base: BodyPath): void {
    if (Array.isArray(value)) value.forEach((each, index) => this.any(each, [...base, index]))
    else if (!isObject(value)) this.#refuse(base, 'is no resource: write an object, such as the input of `aws appmesh create-virtual-node`')
    else if (namings.some(({ kind, many }) => kind in value || many in value)) this.#container(value, base)
    else this.#alone(value, base)
  }

  #container(container: Json, base: BodyPath): void {
    for (const [key, value] of Object.entries(container)) {
      const path = [...base, key]
      const one = namings.find(({ kind }) => kind === key)
      const many = namings.find((naming) => naming.many === key)
      if (one) this.#resource(one, value, path)
      else if (many && Array.isArray(value)) value.forEach((each, index) => this.#resource(many, each, [...path, index]))
      else if (many) this.#refuse(path, 'must be a list of such resources')
      else if (key !== 'nextToken') {
        this.#refuse(path, `is no kind of resource: beside the others only ${namings.map((naming) => naming.many).join(', ')} and mesh may stand`)
      }
    }
  }

  #alone(body: Json, base: BodyPath): void {
    const naming = namings.find(({ name }) => name in body)
    if (naming) this.#resource(naming, body, base)
    else {
      // The rest stood on the command line, as with `aws appmesh update-route --route-name …`.
      const hint = 'spec' in body ? '; the names that stood on a command line beside it belong in here' : ''
      this.#refuse(base, `is no resource of App Mesh: it has none of ${namings.map(({ name }) => name).join(', ')}${hint}`)
    }
  }

  #resource({ kind, name }: Naming, written: unknown, base: BodyPath): void {
    if (isObject(written) && 'arn' in written && !('spec' in written)) {
      this.#refuse(base, `comes from \`aws appmesh list-…\`, which leaves the spec out: use \`aws appmesh describe-${awsCommand(kind)}\``)
      return
    }
    const called = isObject(written) ? written[name] : undefined
    this.found.push({
      kind,
      body: isObject(written) ? withoutService(written) : written,
      file: this.#file,
      resource: typeof called === 'string' ? `${kind} ${called}` : placeOf(base) || kind,
      at: (path) => placeOf([...base, ...path]),
      position: this.#position,
    })
  }

  #refuse(path: BodyPath, message: string): void {
    const place = placeOf(path)
    this.faults.push({ severity: 'error', file: this.#file, ...this.#position(place), ...(place !== '' && { path: place }), message })
  }
}

/** What one source holds; its faults alone where it is broken. */
const readOne = (source: Source): Pick<Reading, 'found' | 'faults'> => {
  const positionAt = positionIn(source)
  try {
    const piece = readJson(source.text)
    let offsets: ReadonlyMap<string, number> | undefined
    const collector = new Collector(source.file, (place) => positionsOf(offsets ??= offsetsOf(piece), positionAt)(place))
    collector.any(plainOf(piece), [])
    return collector
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    return { found: [], faults: [{ severity: 'error', file: source.file, ...positionAt(error.at), message: error.message }] }
  }
}

/**
 * Reads JSON of the API and its command line: the input of `create-*` and `update-*` (also as `--cli-input-json` has it), the
 * answer of `describe-*`, whole documents (`{ mesh, virtualNodes: […], … }`), and lists of these.
 */
export const readApiJson: FormatReader = (sources) => {
  const taken = sources.filter(({ text }) => /^\s*[[{]/.test(text))
  const read = taken.map(readOne)
  return { found: read.flatMap(({ found }) => found), faults: read.flatMap(({ faults }) => faults), taken: new Set(taken) }
}
