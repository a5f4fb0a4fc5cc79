import { readJson } from '../../config-file/json.ts'
import { placesOf, plainOf, Unreadable } from '../../config-file/piece.ts'
import { placeOf } from '../../mesh/faults.ts'
import type { BodyPath, Fault, Found, ResourceKind, Source } from '../found.ts'
import type { FormatReader } from './format.ts'

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

class Collector {
  readonly found: Found[] = []
  readonly faults: Fault[] = []
  readonly #file: string

  constructor(file: string) {
    this.#file = file
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
    else this.#refuse(base, `is no resource of App Mesh: it has none of ${namings.map(({ name }) => name).join(', ')}`)
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
    })
  }

  #refuse(path: BodyPath, message: string): void {
    this.faults.push({ severity: 'error', file: this.#file, ...(path.length > 0 && { path: placeOf(path) }), message })
  }
}

const unreadable = ({ file, text }: Source, { message, at }: Unreadable): Fault => {
  const { line, column } = placesOf(file, text)(at)
  return { severity: 'error', file, message: `line ${line}, column ${column}: ${message}` }
}

/**
 * Reads JSON of the API and its command line: the input of `create-*` and `update-*` (also as `--cli-input-json` has it), the
 * answer of
 * `describe-*`, whole documents (`{ mesh, virtualNodes: […], … }`), and lists of these.
 */
export const apiJson: FormatReader = (source) => {
  if (!/^\s*[[{]/.test(source.text)) return undefined
  const collector = new Collector(source.file)
  try {
    collector.any(plainOf(readJson(source.text)), [])
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    return { found: [], faults: [unreadable(source, error)] }
  }
  return collector
}
