import { placeOf } from '../../mesh/faults.ts'
import type { BodyPath, Fault } from '../found.ts'

/** Collects what cannot be translated, and what is translated to something else. */
export class Remarks {
  readonly faults: Fault[] = []

  /** Something without which the mesh would not do what was defined. */
  refuse(resource: string, path: BodyPath | string, message: string): void {
    this.#say('error', resource, path, message)
  }

  /** Something that has no effect, or another one. */
  warn(resource: string, path: BodyPath | string, message: string): void {
    this.#say('warning', resource, path, message)
  }

  #say(severity: Fault['severity'], resource: string, path: BodyPath | string, message: string): void {
    const place = typeof path === 'string' ? path : placeOf(path)
    const fault: Fault = { severity, file: '', ...(resource !== '' && { resource }), ...(place !== '' && { path: place }), message }
    // A node that several services lead to is translated several times.
    const same = (other: Fault): boolean => other.resource === fault.resource && other.path === fault.path && other.message === fault.message
    if (!this.faults.some(same)) this.faults.push(fault)
  }
}
