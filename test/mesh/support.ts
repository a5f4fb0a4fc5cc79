import { createMesh, type EndpointSpec, type MeshInput, type MeshOptions } from '../../src/index.ts'
import { fakeRuntime, scriptedUpstream, seededRandom, settle, type Script } from '../../src/testing/index.ts'

/** A mesh on virtual time over a network that follows a script. */
export const virtual = (config: MeshInput, script: Script = {}, options: MeshOptions = {}) => {
  const runtime = fakeRuntime(seededRandom(7))
  const upstream = scriptedUpstream(script)
  const mesh = createMesh(config, { runtime, transport: upstream.send, ...options })
  return { mesh, upstream, runtime, clock: runtime.clock }
}

/** A cluster of endpoints that are written down. */
export const listing = (...endpoints: readonly (string | EndpointSpec)[]) =>
  ({ registry: { type: 'static', endpoints } } as const)

/** What a promise has come to by now. */
export const outcomeOf = async (promise: Promise<unknown>): Promise<unknown> => {
  let outcome: unknown = 'open'
  promise.then((value) => { outcome = value }, (error: unknown) => { outcome = error })
  await settle()
  await settle()
  return outcome
}
