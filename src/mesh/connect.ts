import type { Socket } from 'node:net'
import type { Call, CallPolicy } from '../core/call.ts'
import { MeshError } from '../core/errors.ts'
import { RequestHead } from '../core/request.ts'
import type { Send } from '../core/send.ts'
import { onAbort, reasonOf } from '../transport/fetch/signal.ts'
import type { Origin } from '../transport/dispatcher/origin.ts'
import { serviceAddress, type CallPolicyInput } from './config.ts'
import { didYouMean } from './faults.ts'

/** What `mesh.connect` is told beside the service. */
export interface ConnectOptions {
  /** The port that is dialled, which services and routes may ask for; by default the one in the service's name, or else 80. */
  readonly port?: number
  /** Gives the connection up, also once it is made. */
  readonly signal?: AbortSignal
  /** Policy of this connection, over its route's: `timeout` and `retry` until it is made, `idleTimeout` from then on. */
  readonly mesh?: CallPolicyInput
}

const optionNames: readonly string[] = ['port', 'signal', 'mesh'] satisfies (keyof ConnectOptions)[]

/** What a connection needs of the mesh. */
export interface ConnectDoor {
  readonly locate: (origin: Origin, method: string) => 'mesh' | 'past'
  readonly policy: (input: CallPolicyInput | undefined) => CallPolicy | undefined
  readonly call: (request: RequestHead, policy?: CallPolicy) => Call
  readonly send: Send<Call>
  readonly remember: (outcome: object, calls: readonly Call[]) => void
}

/** Connects to a service. */
export const connectTo = async (door: ConnectDoor, service: string, options: ConnectOptions): Promise<Socket> => {
  const origin = dialled(service, options)
  const { host, port } = origin
  const policy = door.policy(options.mesh)
  const { signal } = options
  if (signal?.aborted) throw reasonOf(signal)
  if (door.locate(origin, 'CONNECT') === 'past') {
    throw new MeshError('ENMESH_NO_ROUTE', `connection to ${host}:${port}: the host is no service of this mesh, and only those are connected to. ` +
      'Add it to `services`, or connect by `node:net`.')
  }
  const call = door.call(new RequestHead({ method: 'CONNECT', scheme: 'http', host, port, path: '', headers: [], connection: true }), policy)
  if (signal) call.onEnd(onAbort(signal, (reason) => call.abort(reason)))
  const reply = await door.send(call)
  if (!reply.socket) {
    const error = call.error('ENMESH_CONNECT_FAILED', `${call}: what stands in the place of the network gave an answer and no connection. ` +
      'Use a transport that knows `request.connection`, or none.')
    reply.abort(error)
    throw error
  }
  // It lives as long as its two ends like.
  call.deadline = Number.POSITIVE_INFINITY
  door.remember(reply.socket, [call])
  return reply.socket as Socket
}

const dialled = (service: string, options: ConnectOptions): Origin => {
  const unknown = Object.keys(options).find((name) => !optionNames.includes(name))
  if (unknown !== undefined) throw new TypeError(`connect() has no option '${unknown}': ${didYouMean(unknown, optionNames)}`)
  const address = typeof service === 'string' ? serviceAddress(service) : undefined
  if (!address) throw new TypeError(`connect() takes the name of a service, with or without a port ('redis.shop.local:6379'), not ${JSON.stringify(service)}`)
  const port = options.port ?? address.port ?? 80
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new TypeError(`connect(): the port ${port} is none: write one from 1 to 65535`)
  return { scheme: 'http', host: address.host, port }
}
