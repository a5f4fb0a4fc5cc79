import { AppMeshError, type Fault } from '../app-mesh/index.ts'
import { MeshConfigError, type ConfigFault } from '../core/errors.ts'
import type { Paint } from './world.ts'

/** Something wrong with what a command was given, with its place as far as it is known. Errors are reasons to stop, warnings are none. */
export interface ToldFault {
  readonly severity: 'error' | 'warning'
  readonly file?: string
  /** 1 for the first. */
  readonly line?: number
  /** 1 for the first. */
  readonly column?: number
  /** What the file calls the resource. */
  readonly resource?: string
  /** The place inside the resource, or inside the configuration. */
  readonly path?: string
  readonly message: string
}

const isSaid = (part: unknown): boolean => part !== undefined && part !== ''

/** Whether any of the faults is a reason to stop. */
export const stops = (faults: readonly ToldFault[]): boolean => faults.some(({ severity }) => severity === 'error')

/** A fault of App Mesh definitions; one that came up in no file has none. */
export const ofDefinition = ({ file, ...rest }: Fault): ToldFault => ({ ...rest, ...(file !== '' && { file }) })

const ofConfig = ({ path, ...rest }: ConfigFault): ToldFault => ({ severity: 'error', ...rest, ...(path !== '' && { path }) })

/** The faults that an error stands for; whatever else is thrown goes on. */
export const faultsOf = (error: unknown): readonly ToldFault[] => {
  if (error instanceof AppMeshError) return error.faults.map(ofDefinition)
  if (error instanceof MeshConfigError) return error.faults.map(ofConfig)
  throw error
}

/** One fault on a line: `error: mesh.yaml:12:9, services["a.local"].routes[0].to: there is no cluster 'x'`. */
export const faultLine = ({ severity, file, line, column, resource, path, message }: ToldFault, paint: Paint): string => {
  const place = [[file, line, column].filter(isSaid).join(':'), resource].filter(isSaid).join(', ')
  const head = paint(severity === 'error' ? 'red' : 'yellow', severity)
  return [head, ...[place && paint('bold', place), path, message].filter(isSaid)].join(': ')
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

/** `2 errors, 1 warning`, or `no faults`. */
export const tally = (faults: readonly ToldFault[]): string => {
  const errors = faults.filter(({ severity }) => severity === 'error').length
  const warnings = faults.length - errors
  return [errors > 0 && counted(errors, 'error'), warnings > 0 && counted(warnings, 'warning')].filter(Boolean).join(', ') || 'no faults'
}

/** `no routes`, `1 route`, `2 routes`. */
export const howMany = (count: number, what: string): string => counted(count, what)
