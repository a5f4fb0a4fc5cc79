import { readArn } from './arn.ts'
import type { BodyPath, Fault, Found, ResourceKind } from '../found.ts'
import { bodies, type ObjectShape, type Shape } from './shape.ts'
import type { Positions } from './positions.ts'
import { untrace, type Traced } from './traced.ts'

/** How a format writes what the API has. */
export interface Dialect {
  /**
   * The field of the API that a name of the format stands for, and what stands there; `undefined` leaves it out.
   * A name that is no field is best handed on in the API's spelling: whoever checks bodies refuses it, with its place.
   */
  field(name: string, value: Traced, shape: ObjectShape): { readonly name: string, readonly value: Traced } | undefined
  /** What a value means where the API has a certain shape: `"80"` a number, a list of one block an object. */
  value(traced: Traced, shape: Shape): Traced
}

/** Whose words faults and places are in. */
export interface Subject {
  readonly file: string
  readonly resource: string
  /** Where things stand, if the format tells. */
  readonly position?: Positions
}

/** Tells a fault of a subject, with its line and column where these are known. */
export const faultOf = (
  { file, resource, position }: Subject, severity: Fault['severity'], path: string, message: string,
): Fault => ({ severity, file, ...position?.(path), resource, path, message })

/** Takes the faults of one resource, or of a file as a whole. */
export type Tell = (fault: Fault) => void

const keyOf = (path: BodyPath): string => JSON.stringify(path)

const step = (where: string, name: string | number): string => {
  if (typeof name === 'number') return `${where}[${name}]`
  return where === '' ? name : `${where}.${name}`
}

/** Turns the traced body of one resource into what is handed on, in the names and shapes of the API. */
export const toFound = (kind: ResourceKind, traced: Traced, dialect: Dialect, subject: Subject, tell: Tell): Found => {
  const translation = new Translation(dialect, subject, tell)
  const { file, resource, position } = subject
  const body = translation.read(traced, bodies[kind], [])
  return {
    kind,
    body,
    file,
    resource,
    at: (path) => translation.at(path),
    ...(position && { position }),
    ...(translation.unread.length > 0 ? { unread: translation.unread } : {}),
  }
}

class Translation {
  readonly unread: BodyPath[] = []
  readonly #places = new Map<string, string>()
  readonly #dialect: Dialect
  readonly #subject: Subject
  readonly #tell: Tell

  constructor(dialect: Dialect, subject: Subject, tell: Tell) {
    this.#dialect = dialect
    this.#subject = subject
    this.#tell = tell
  }

  /** The place of a value, or of the nearest that the file has, with the rest of the way in the API's words. */
  at(path: BodyPath): string {
    for (let length = path.length; length >= 0; length--) {
      const where = this.#places.get(keyOf(path.slice(0, length)))
      if (where !== undefined) return path.slice(length).reduce(step, where)
    }
    return path.reduce(step, '')
  }

  read(written: Traced, shape: Shape, path: BodyPath): unknown {
    const traced = this.#dialect.value(written, shape)
    this.#places.set(keyOf(path), traced.where)
    if (traced.kind === 'unread') {
      this.unread.push(path)
      return undefined
    }
    if (traced.kind === 'object' && typeof shape === 'object' && 'fields' in shape) return this.#object(traced.entries, shape, path)
    if (traced.kind === 'list' && typeof shape === 'object' && 'items' in shape) return this.#list(traced.items, shape.items, path)
    if (shape === 'name' && traced.kind === 'plain' && typeof traced.value === 'string') return this.#name(traced.value, path)
    return untrace(traced)
  }

  #object(entries: ReadonlyMap<string, Traced>, shape: ObjectShape, path: BodyPath): unknown {
    const body: [string, unknown][] = []
    for (const [written, value] of entries) {
      const field = this.#dialect.field(written, value, shape)
      if (field === undefined) continue
      const here = [...path, field.name]
      if (body.some(([name]) => name === field.name)) {
        this.#tell(faultOf(this.#subject, 'error', value.where, `says a second time what ${this.at(here)} says: leave one of them out`))
        continue
      }
      const known = Object.hasOwn(shape.fields, field.name) ? shape.fields[field.name]! : undefined
      const read = this.read(field.value, known ?? 'text', here)
      if (read !== undefined) body.push([field.name, read])
    }
    // Not assigned one by one: a field called __proto__ must stay a field.
    return Object.fromEntries(body)
  }

  #list(items: readonly Traced[], shape: Shape, path: BodyPath): unknown {
    const body: unknown[] = []
    for (const item of items) {
      if (item.kind === 'unread') this.unread.push(path)
      else body.push(this.read(item, shape, [...path, body.length]))
    }
    return body
  }

  #name(text: string, path: BodyPath): string {
    const arn = readArn(text)
    if (arn === undefined) return text
    const name = path.at(-1) === 'meshName' ? arn.mesh : arn.name
    this.#tell(faultOf(this.#subject, 'warning', this.at(path), `is an ARN, and a name is meant here: it is read as "${name}"`))
    return name
  }
}
