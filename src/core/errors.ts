/** What can go wrong, as a stable word to test against. */
export type MeshErrorCode =
  | 'ENMESH_EGRESS_DENIED'
  | 'ENMESH_NO_ROUTE'
  | 'ENMESH_NO_ENDPOINT'
  | 'ENMESH_CIRCUIT_OPEN'
  | 'ENMESH_OVERLOADED'
  | 'ENMESH_DEADLINE_EXCEEDED'
  | 'ENMESH_ATTEMPT_TIMEOUT'
  | 'ENMESH_CONNECT_FAILED'
  | 'ENMESH_CONNECTION_RESET'
  | 'ENMESH_TLS'
  | 'ENMESH_CLOSED'
  | 'ENMESH_CONFIG_INVALID'

/** What became of one attempt, as plain data. */
export interface AttemptRecord {
  /** 1 for the first. */
  readonly number: number
  readonly endpoint: string
  /** Why it was made: `'first'`, `'retry after 503'`, … */
  readonly why: string
  /** Milliseconds after the start of the call. */
  readonly startedAt: number
  /** Milliseconds from its start until it was written to a socket; absent when it never was. */
  readonly queued?: number
  /** Milliseconds from its start until the head of the answer; absent when none came. */
  readonly head?: number
  /** Milliseconds from its start until its body ended or it failed; absent while it runs. */
  readonly took?: number
  readonly status?: number
  /** `'complete'`, `'cancelled'` or the code of its error; absent while it runs. */
  readonly ending?: string
  /** True when a reused socket died before any byte of the answer and the request was sent again on a new one. */
  readonly resent?: true
}

/** Where an error happened and what came before. */
export interface MeshErrorDetails {
  readonly service?: string | undefined
  readonly cluster?: string | undefined
  readonly attempts?: readonly AttemptRecord[]
  readonly cause?: unknown
}

/**
 * What the mesh rejects with when it has no answer of a service to give.
 * A `TypeError`, as `fetch` rejects with; `code` tells what happened, the message what was asked, what was found and what to do.
 */
export class MeshError extends TypeError {
  readonly code: MeshErrorCode
  readonly service: string | undefined
  readonly cluster: string | undefined
  /** The attempts made before it was given up, oldest first. */
  readonly attempts: readonly AttemptRecord[]

  constructor(code: MeshErrorCode, message: string, { service, cluster, attempts = [], cause }: MeshErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'MeshError'
    this.code = code
    this.service = service
    this.cluster = cluster
    this.attempts = attempts
  }
}

/** One fault in a configuration. */
export interface ConfigFault {
  /** The place, as one would write it in JavaScript: `services["a.local"].routes[0].to`. Empty for the whole. */
  readonly path: string
  readonly message: string
  /** The file that it was written in, as it was named to `loadConfig`; absent for a configuration that came from no file. */
  readonly file?: string
  /** The line of that file, 1 for the first; absent where only the file is known. */
  readonly line?: number
  /** The column in that line, 1 for the first. */
  readonly column?: number
}

/** One fault in words: `mesh.yaml:12:9 services["a.local"].routes[0].to: there is no cluster 'x'`. */
const worded = ({ path, message, file, line, column }: ConfigFault): string => {
  const at = [file, line, column].filter((part) => part !== undefined).join(':')
  return `${[at, path].filter((part) => part !== '').join(' ') || '(the whole)'}: ${message}`
}

/** One fault in options, found when they were put to use. */
export interface OptionFault {
  /** The place inside the options. */
  readonly path: readonly PropertyKey[]
  readonly message: string
}

/** Thrown by what puts options to use, which does not know their place in the configuration; a `MeshConfigError` is made of it. */
export class OptionsError extends TypeError {
  readonly faults: readonly OptionFault[]

  constructor(faults: readonly OptionFault[]) {
    super(faults.map(({ path, message }) => `${path.map(String).join('.')}: ${message}`).join('\n'))
    this.name = 'OptionsError'
    this.faults = faults
  }
}

/** How many faults are put into words: a file of the wrong kind may have one in each line. */
const mostWorded = 100

/** Thrown for a configuration that cannot be used: every fault with its place. Its message tells the first hundred. */
export class MeshConfigError extends MeshError {
  /** All of them. */
  readonly faults: readonly ConfigFault[]

  constructor(faults: readonly ConfigFault[], cause?: unknown) {
    const list = faults.slice(0, mostWorded).map((fault) => `\n  ${worded(fault)}`).join('')
    const more = faults.length > mostWorded ? `\n  … and ${faults.length - mostWorded} more` : ''
    super('ENMESH_CONFIG_INVALID', `The mesh configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:${list}${more}`, { cause })
    this.name = 'MeshConfigError'
    this.faults = faults
  }
}
