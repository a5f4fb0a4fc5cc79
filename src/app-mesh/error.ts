import type { Fault } from './found.ts'

const said = (part: string | undefined): boolean => part !== undefined && part !== ''

/** One fault in words: `mesh.yaml:12:7, Node: Resources.Node.Properties.Spec: …`. */
export const faultInWords = ({ file, line, column, resource, path, message }: Fault): string => {
  const place = [file, line, column].filter((part) => part !== undefined && part !== '').join(':')
  return [[place, resource].filter(said).join(', '), path, message].filter(said).join(': ')
}

const mostWorded = 100

/**
 * Thrown for App Mesh definitions that cannot be used: every fault with its place, warnings included. Its message tells the
 * first hundred.
 */
export class AppMeshError extends Error {
  /** All of them, the errors first. */
  readonly faults: readonly Fault[]

  constructor(faults: readonly Fault[]) {
    const errors = faults.filter(({ severity }) => severity === 'error')
    const list = errors.slice(0, mostWorded).map((fault) => `\n  ${faultInWords(fault)}`).join('')
    const more = errors.length > mostWorded ? `\n  … and ${errors.length - mostWorded} more` : ''
    super(`The App Mesh definitions have ${errors.length === 1 ? 'a fault' : `${errors.length} faults`}:${list}${more}`)
    this.name = 'AppMeshError'
    this.faults = [...errors, ...faults.filter(({ severity }) => severity !== 'error')]
  }
}
