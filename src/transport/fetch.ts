import type { Dispatcher } from 'undici'
import type { Call, CallPolicy } from '../core/call.ts'
import { MeshError } from '../core/errors.ts'
import type { RequestHead } from '../core/request.ts'
import type { MeshDispatcher } from './dispatcher.ts'

// The one of the platform, taken before anybody can put the mesh's own in its place.
const platformFetch = globalThis.fetch

/** The platform's `fetch` with one more option: policy of the mesh for this call. */
export type FetchInit<Policy> = RequestInit & { readonly mesh?: Policy }

/** What the `fetch` façade needs of the mesh. */
export interface FetchDoor<Policy> {
  readonly dispatcher: MeshDispatcher
  /** Checks the policy of one call; throws a `MeshConfigError`. */
  readonly policy: (policy: Policy | undefined) => CallPolicy | undefined
  readonly call: (request: RequestHead, policy: CallPolicy | undefined) => Call
  /** Remembers which calls (one, and one more for each redirect) led to a response or an error. */
  readonly remember: (outcome: object, calls: readonly Call[]) => void
  /** Whether failures reject just as the platform does, with the mesh's error as the cause. */
  readonly platformErrors: boolean
}

/** A `fetch` that goes through the mesh: the platform's own, over the mesh as its dispatcher. */
export const meshFetch = <Policy>(door: FetchDoor<Policy>) =>
  async (input: string | URL | Request, init?: FetchInit<Policy>): Promise<Response> => {
    const { mesh, ...rest } = init ?? {}
    const policy = door.policy(mesh)
    const calls: Call[] = []
    const dispatcher = {
      dispatch: (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) =>
        door.dispatcher.dispatchAs(options, handler, (request) => {
          const call = door.call(request, policy)
          calls.push(call)
          return call
        }),
    }
    try {
      const response = await platformFetch(input, { ...rest, dispatcher } as unknown as RequestInit)
      door.remember(response, calls)
      return response
    } catch (error) {
      const cause = (error as { cause?: unknown } | undefined)?.cause
      const rejection = cause instanceof MeshError && !door.platformErrors ? cause : error
      if (rejection instanceof Error) door.remember(rejection, calls)
      throw rejection
    }
  }
