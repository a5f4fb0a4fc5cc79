import type { Call, CallPolicy } from '../../core/call.ts'
import { MeshError } from '../../core/errors.ts'
import type { Reply } from '../../core/reply.ts'
import type { Send } from '../../core/send.ts'
import { plainUrl, readPlain, type PlainRequest } from './plain-request.ts'
import { PlatformFetch, type PlatformDoor } from './platform-fetch.ts'
import { responseOf } from './response.ts'
import { onAbort, reasonOf, type AnySignal } from './signal.ts'
import { readTarget } from './target.ts'

/** The platform's `fetch` with one more option: policy of the mesh for this call. */
export type FetchInit<Policy> = RequestInit & { readonly mesh?: Policy }

/** What the `fetch` façade needs of the mesh. */
export interface FetchDoor<Policy> extends PlatformDoor {
  /** Whether a host (normalised) and port are a service. */
  readonly serves: (host: string, port: number) => boolean
  /** Checks the policy of one call; throws a `MeshConfigError`. */
  readonly policy: (policy: Policy | undefined) => CallPolicy | undefined
  readonly send: Send<Call>
  /** Whose the responses are. */
  readonly owner: object
  /** Remembers which calls (one, and one more for each redirect) led to an error or to a response of the platform's. */
  readonly remember: (outcome: object, calls: readonly Call[]) => void
  /** Whether failures reject just as the platform does, with the mesh's error as the cause. */
  readonly platformErrors: boolean
}

/**
 * A `fetch` that goes through the mesh, on one of two roads that callers can't tell apart. Requests as nearly all are go straight to
 * the mesh, and what comes back is dressed as a `Response`. Whatever else there is to `fetch` (bodies that stream, redirects, decoding,
 * hosts that are no services, and all that is wrong with a request) is left to the platform's own, over the mesh as its dispatcher.
 */
export const meshFetch = <Policy>(door: FetchDoor<Policy>) =>
  async (input: string | URL | Request, init?: FetchInit<Policy>): Promise<Response> => {
    const policy = init ? door.policy(init.mesh) : undefined
    const plain = ordinary(door, input, init)
    if (plain === undefined) return remembered(door, new PlatformFetch(door, policy), (platform) => platform.send(input, init))
    const { signal } = plain
    if (signal?.aborted) throw reasonOf(signal)
    const call = door.call(plain.head, policy)
    if (signal) call.onEnd(onAbort(signal, (reason) => call.abort(reason)))
    let reply: Reply
    try {
      reply = await door.send(call)
    } catch (error) {
      throw rejection(door, error, call, signal)
    }
    // It may have been aborted since the head came.
    if (signal?.aborted) {
      reply.discard()
      throw rejection(door, call.reason, call, signal)
    }
    if (needsPlatform(reply)) return remembered(door, new PlatformFetch(door, policy), (platform) => platform.goOn(plain, call, reply))
    return responseOf({ reply, url: plain.target.url, signal, owner: door.owner })
  }

const ordinary = (door: Pick<FetchDoor<never>, 'serves'>, input: string | URL | Request, init: RequestInit | undefined): PlainRequest | undefined => {
  const url = plainUrl(input)
  const target = url === undefined ? undefined : readTarget(url)
  return target && door.serves(target.host, target.port) ? readPlain(target, input, init) : undefined
}

// Redirects, Proxy Authentication Required, and Misdirected Request, which is sent again.
const statusesForPlatform: ReadonlySet<number> = new Set([301, 302, 303, 307, 308, 407, 421])

const needsPlatform = ({ status, headers }: Reply): boolean =>
  (status >= 300 && statusesForPlatform.has(status)) || headers['content-encoding'] !== undefined

type Remembering = Pick<FetchDoor<never>, 'remember' | 'platformErrors'>

const remembered = async (
  door: Remembering, platform: PlatformFetch, send: (platform: PlatformFetch) => Promise<Response>,
): Promise<Response> => {
  try {
    const response = await send(platform)
    door.remember(response, platform.calls)
    return response
  } catch (error) {
    const cause = (error as { cause?: unknown } | undefined)?.cause
    const rejected = cause instanceof MeshError && !door.platformErrors ? cause : error
    if (rejected instanceof Error) door.remember(rejected, platform.calls)
    throw rejected
  }
}

/** What a caller hears when there is no answer: the reason of his own abort, the mesh's error, or what the platform makes of any failure. */
const rejection = (door: Remembering, error: unknown, call: Call, signal: AnySignal | undefined): unknown => {
  const asItIs = (signal?.aborted && error === call.reason) || (error instanceof MeshError && !door.platformErrors)
  const rejected = asItIs ? error : new TypeError('fetch failed', { cause: error })
  if (rejected instanceof Error) door.remember(rejected, [call])
  return rejected
}
