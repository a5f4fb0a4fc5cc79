import { isMainThread } from 'node:worker_threads'
import { MeshConfigError } from '../core/errors.ts'
import type { MeshEvents } from '../core/events.ts'
import type { Mesh } from '../mesh/mesh.ts'

/** Tells whoever runs the application what became of its mesh, in lines on stderr. */
export interface Report {
  /** Tells what is as it should be. */
  readonly note: (text: string) => void
  /** Tells what somebody has to mend. */
  readonly fault: (text: string) => void
}

const silent = (): void => {}

const say = (text: string): void => console.error(`enmesh: ${text}`)

/** Threads are silent beside the main one, which tells the same of the same file. */
export const reportTo = (quiet: boolean): Report =>
  isMainThread ? { note: quiet ? silent : say, fault: say } : { note: silent, fault: silent }

const counted = (things: object, name: string): string => {
  const { length } = Object.keys(things)
  return `${length} ${name}${length === 1 ? '' : 's'}`
}

/** What a mesh consists of: `3 services, 4 clusters`. */
export const inventory = (mesh: Mesh): string => {
  const { services, clusters } = mesh.status()
  return `${counted(services, 'service')}, ${counted(clusters, 'cluster')}`
}

/** What an update changed: `1 added, 2 changed`. */
export const changesIn = ({ added, changed, removed }: MeshEvents['config-applied']): string =>
  Object.entries({ added, changed, removed }).filter(([, places]) => places.length > 0).map(([what, places]) => `${places.length} ${what}`).join(', ')
  || 'nothing changed'

/** An error on one line; of a configuration's faults the first, with its place. */
export const briefly = (error: unknown): string => {
  const more = error instanceof MeshConfigError ? error.faults.length - 1 : 0
  const text = error instanceof MeshConfigError ? error.message.split('\n')[1] ?? '' : String(error)
  return text.trim().replace(/\s+/g, ' ') + (more > 0 ? ` (and ${more} more fault${more === 1 ? '' : 's'})` : '')
}
