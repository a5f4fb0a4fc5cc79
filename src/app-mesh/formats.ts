import { apiJson } from './api-json.ts'
import type { FormatReader } from './found.ts'

/** A format that definitions are read from. */
export interface Format {
  readonly name: string
  readonly read: FormatReader
  /**
   * Whether a resource in a later source takes the place of one read before, as `aws appmesh update-route` and `kubectl apply` have it.
   * In other formats the same name twice is a fault.
   */
  readonly replaces: boolean
}

/** The formats; the first that claims a source reads it. JSON of the API comes last, since it claims whatever looks like JSON. */
export const formats: readonly Format[] = [
  { name: 'JSON of the App Mesh API', read: apiJson, replaces: true },
]
