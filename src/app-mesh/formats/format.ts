import type { Fault, Found, ReadOptions, Source } from '../found.ts'

/** What a reader made of the sources of its format. */
export interface Reading {
  readonly found: readonly Found[]
  readonly faults: readonly Fault[]
  /** The sources that are of this format; the others are for other readers. */
  readonly taken: ReadonlySet<Source>
}

/** Reads all sources of one format at once, because what stands in one file may be named in another. */
export type FormatReader = (sources: readonly Source[], options: ReadOptions) => Reading | Promise<Reading>

/** A format that definitions are read from. */
export interface Format {
  readonly name: string
  readonly read: FormatReader
  /**
   * Whether a resource in a later source takes the place of one read before, as `aws appmesh update-route` and `kubectl apply`
   * have it. In other formats the same name twice is a fault.
   */
  readonly replaces: boolean
  /** What a file must have that only lies in a directory that was named; absent where the reader tells its own from others. */
  readonly mentions?: RegExp
}
