import type { Fault, Found, ReadOptions, Source } from '../found.ts'

/** What the reader of a format made of one source. */
export interface Reading {
  readonly found: readonly Found[]
  readonly faults: readonly Fault[]
}

/** Reads one format; `undefined` says that the source is not of this format. */
export type FormatReader = (source: Source, options: ReadOptions) => Reading | undefined | Promise<Reading | undefined>

/** What a reader made of all sources of its format. */
export interface GroupReading extends Reading {
  /** The sources that are of this format; the others are for other readers. */
  readonly taken: ReadonlySet<Source>
}

/** Reads all sources of one format at once, because what stands in one file may be named in another. */
export type GroupReader = (sources: readonly Source[], options: ReadOptions) => GroupReading | Promise<GroupReading>

/** A format that definitions are read from. */
export interface Format {
  readonly name: string
  readonly read: FormatReader
  /**
   * Whether a resource in a later source takes the place of one read before, as `aws appmesh update-route` and `kubectl apply`
   * have it. In other formats the same name twice is a fault.
   */
  readonly replaces: boolean
}

/** A format whose files may name one another. */
export interface GroupFormat {
  readonly name: string
  readonly read: GroupReader
  readonly replaces: boolean
}
