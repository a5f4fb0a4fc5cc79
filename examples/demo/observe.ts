/**
 * Loaded into each service by the demo (`node --import`): tells the parent process what the service's mesh does.
 * The mesh reports on `node:diagnostics_channel`, so the service itself needs no line for it.
 */
import { subscribe } from 'node:diagnostics_channel'
import type { MeshEvents } from 'enmesh'

/** One thing that a mesh did, as the parent hears it. */
export type Observation = {
  [E in keyof MeshEvents]: { readonly event: E; readonly detail: MeshEvents[E] }
}[keyof MeshEvents]

const events: readonly (keyof MeshEvents)[] = [
  'endpoint-ejected', 'endpoint-probation', 'endpoint-returned', 'panic-entered', 'panic-left',
  'breaker-opened', 'breaker-half-opened', 'breaker-closed', 'config-applied', 'config-rejected',
]

for (const event of events) subscribe(`enmesh:${event}`, (detail) => { process.send?.({ event, detail }) })

// However the parent ends, its services end with it.
process.on('disconnect', () => { process.exit() })
if (!process.connected) process.exit()
