import type { Call } from '../../core/call.ts'
import { MeshError } from '../../core/errors.ts'
import type { Ending, Reply } from '../../core/reply.ts'
import type { RequestHead } from '../../core/request.ts'

/** A call that is over, as an access log looks at it. */
export interface Entry {
  readonly call: Call
  /** What was asked, before a route rewrote it. */
  readonly asked: RequestHead
  /** What the caller got; absent where the mesh had no answer to give. */
  readonly reply: Reply | undefined
  readonly ending: Ending
  /** Bytes of the request's body that were read for the attempt that counts; `undefined` where nobody can tell. */
  readonly sent: number | undefined
}

/** The attempt that the caller got, or else the last one. */
export const attemptOf = ({ call, reply }: Entry) => reply?.attempt ?? call.attempts.at(-1)

/** The error that the call ended with, if it is the mesh's. */
export const errorOf = ({ ending }: Entry): MeshError | undefined => ending instanceof MeshError ? ending : undefined
