import { connect, type Socket } from 'node:net'
import type { SecureContext, TLSSocket } from 'node:tls'
import { z } from 'zod'
import type { Endpoint } from '../../core/endpoint.ts'
import type { Clock } from '../../runtime/clock.ts'
import { judgeHealth, healthQuestion } from './grpc-health.ts'
import { askHttp1, askHttp2, type Answer } from './probe-exchange.ts'
import { tlsFailure } from '../tls/tls-failure.ts'
import { nameOf } from '../tls/certificates.ts'
import { dialTls, enforcesTls, optionsOf, type Handshake, type TlsConfig } from '../tls/tls.ts'

const port = z.int().min(1).max(65_535).optional()
  .describe("Where the endpoints answer health checks; the endpoint's own port by default.")

const host = z.string().regex(/^[A-Za-z0-9._~[\]:-]{1,255}$/, "is not a host: write it like 'pricing.shop.local'").optional()
  .describe("What is sent as `Host` (`:authority`), and with TLS the name that certificates must carry unless `tls.servername` gives one; " +
    'by default the first service that sends to the cluster.')

const http = {
  path: z.string().regex(/^\/[\x21\x22\x24-\x7e]*$/, "is not a path: it begins with '/', and has neither spaces nor '#'").default('/')
    .describe('What is asked for, by GET; a query may follow.'),
  statuses: z.array(z.int().min(200).max(599)).min(1, 'needs at least one status').default([200])
    .describe('The statuses of an endpoint that is well. Redirects are not followed.'),
  host,
  port,
}

/** A question by HTTP/1.1. */
export const http1Probe = z.strictObject({ protocol: z.literal('http').describe('A request by HTTP/1.1.'), ...http })

/** A question by HTTP/2, without an upgrade from HTTP/1.1. */
export const http2Probe = z.strictObject({ protocol: z.literal('http2').describe('A request by HTTP/2, spoken from the first byte on.'), ...http })

/** Whether a connection can be made. */
export const tcpProbe = z.strictObject({ protocol: z.literal('tcp').describe('A connection, with TLS where the cluster has it; nothing is sent.'), port })

/** A question to the standard health service of gRPC. */
export const grpcProbe = z.strictObject({
  protocol: z.literal('grpc').describe('The standard health service `grpc.health.v1.Health/Check`, by HTTP/2.'),
  service: z.string().max(255).default('').describe('The service to ask about; empty for the server as a whole.'),
  host,
  port,
})

/** What is asked of an endpoint. */
export type ProbeConfig = z.output<typeof http1Probe> | z.output<typeof http2Probe> | z.output<typeof tcpProbe> | z.output<typeof grpcProbe>

/** What a health check found. */
export interface HealthFinding {
  /**
   * - `passed`: the endpoint is well
   * - `failed`: it answered that it isn't
   * - `unanswered`: there was no connection, no answer, or none that can be understood
   */
  readonly result: 'passed' | 'failed' | 'unanswered'
  /** In words. */
  readonly found: string
}

/** Asks an endpoint whether it is well. Gives up, and leaves nothing open, when the signal is aborted. */
export type HealthProbe = (endpoint: Endpoint, signal: AbortSignal) => Promise<HealthFinding>

/** What a health check needs to know of its cluster. */
export interface ProbedCluster {
  /** As `readTls` shows it. */
  readonly tls: TlsConfig
  readonly context: SecureContext | undefined
  /** What `Host` is where the check names none; the endpoint's own where this is absent too. */
  readonly host: string | undefined
}

/** By which header an endpoint asks, in whatever it answers, to be taken out at once (Envoy's). */
export const immediateFail = 'x-envoy-immediate-health-check-fail'

/**
 * Makes the question of a health check. Each is asked over a connection of its own, which is closed with it: so checks and traffic never wait
 * for one another, a check finds out whether new connections can be made, and idle sockets to a thousand endpoints are not kept.
 */
export const healthProbe = (config: ProbeConfig, cluster: ProbedCluster, clock: Clock): HealthProbe => {
  const named = ('host' in config ? config.host : undefined) ?? cluster.host
  return async (endpoint, signal) => {
    const name = named ?? endpoint.address.replace(/:\d+$/, '')
    const line = new ProbeLine(endpoint, config, cluster, name)
    const stop = (): void => line.close()
    signal.addEventListener('abort', stop, { once: true })
    try {
      if (signal.aborted) line.close()
      await line.ready
      return await ask(config, line, name)
    } catch (error) {
      return { result: 'unanswered', found: line.explain(error as Error, clock.wall()) }
    } finally {
      signal.removeEventListener('abort', stop)
      line.close()
    }
  }
}

const ask = async (config: ProbeConfig, { socket, secure }: ProbeLine, host: string): Promise<HealthFinding> => {
  const to = { socket, scheme: secure ? 'https' : 'http', host } as const
  switch (config.protocol) {
    case 'tcp': return { result: 'passed', found: 'a connection could be made' }
    case 'http': return judgeStatus(await askHttp1({ ...to, path: config.path }), config.statuses)
    case 'http2': return judgeStatus(await askHttp2({ ...to, path: config.path }), config.statuses)
    case 'grpc': return judgeHealth(await askHttp2({ ...to, ...healthQuestion(config.service) }))
  }
}

const judgeStatus = ({ status, headers }: Answer, expected: readonly number[]): HealthFinding => {
  if (headers[immediateFail] !== undefined) return { result: 'failed', found: `it asked to be taken out (${immediateFail})` }
  return expected.includes(status) ? { result: 'passed', found: `status ${status}` }
    : { result: 'failed', found: `status ${status}, where ${expected.join(' or ')} is expected` }
}

/** The connection of one health check. Keeps no process alive. */
class ProbeLine {
  readonly socket: Socket
  readonly secure: boolean
  /** Resolves when the question can be asked. */
  readonly ready: Promise<void>
  readonly #handshake: Handshake | undefined
  #connected = false

  constructor(endpoint: Endpoint, config: ProbeConfig, { tls, context }: ProbedCluster, host: string) {
    const to = addressOf(endpoint, config.port)
    this.secure = endpoint.tls || enforcesTls(tls, to.port)
    const h2 = config.protocol === 'http2' || config.protocol === 'grpc'
    if (this.secure) {
      const options = optionsOf(tls)
      const offered = h2 ? { ...options, alpn: ['h2'] } : options
      const { socket, handshake } = dialTls({ config: offered, context, servername: options.servername ?? host }, to)
      this.socket = socket
      this.#handshake = handshake
    } else {
      this.socket = connect(to)
    }
    this.socket.setNoDelay(true).unref()
    this.ready = this.#connect(h2)
  }

  async #connect(h2: boolean): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.socket.once(this.secure ? 'secureConnect' : 'connect', () => resolve())
      // Stays: whatever becomes of it later is told by what waits for the answer.
      this.socket.on('error', reject)
      this.socket.once('close', () => reject(new Error('the connection was closed')))
    })
    this.#connected = true
    const chosen = this.secure && h2 ? (this.socket as TLSSocket).alpnProtocol : 'h2'
    if (chosen !== 'h2') throw new Error("it does not speak HTTP/2 over TLS: it did not choose 'h2'")
  }

  explain(error: Error, now: number): string {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    const tls = tlsFailure({ code, cause: error, handshake: this.#handshake, fresh: this.socket.bytesRead === 0, now })
    if (tls) return `the TLS connection could not be made: ${tls.found}`
    const what = nameOf([code, error.message].filter((part) => part !== '').join(', '))
    return this.#connected ? `no answer that can be used (${what})` : `no connection could be made (${what})`
  }

  close(): void {
    this.socket.destroy()
  }
}

/** Where an endpoint is checked: at the address behind its name where that is known, as traffic goes there. */
const addressOf = ({ address, ip }: Endpoint, port: number | undefined): { readonly host: string, readonly port: number } => {
  const colon = address.lastIndexOf(':')
  const name = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
  return { host: ip ?? name, port: port ?? Number(address.slice(colon + 1)) }
}
