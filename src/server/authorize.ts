import type { IncomingMessage, ServerResponse } from 'node:http'
import { MeshConfigError } from '../core/errors.ts'
import { parse } from '../mesh/faults.ts'
import { systemRuntime, type Runtime } from '../runtime/runtime.ts'
import { nameOf } from '../transport/tls/certificates.ts'
import { judgeCall, readyRules, type Rule, type Verdict } from './access-rules.ts'
import { authorizeConfig, type AuthorizeConfig, type AuthorizeOptions } from './authorize-options.ts'
import { addressOf, callerOf, type Caller, type CallerSocket } from './caller.ts'
import { writtenPath } from './plain-path.ts'
import { problemAnswer, type ProblemAnswer } from './problem.ts'

/** A request, as far as its authorization needs it: those of Node's servers are. */
export interface AuthorizedRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly socket: CallerSocket
}

/** What an authorization tells; also on the diagnostics channel `enmesh:<event>`. */
export interface AuthorizationEvents {
  /** A call was denied, or in `audit` mode would have been: `enforced` says which. `path` is without its query. */
  'call-denied': {
    readonly client: string, readonly subject?: string, readonly names: readonly string[], readonly method: string, readonly path: string,
    readonly reason: string, readonly enforced: boolean
  }
}

/** How often calls were allowed and denied; in `audit` mode, would have been. */
export interface Decided {
  readonly allowed: number
  readonly denied: number
}

/** How an authorization goes, as plain data. */
export interface AuthorizationStatus {
  readonly mode: AuthorizeConfig['mode']
  /** In the order in which they are tried. */
  readonly rules: readonly (AuthorizeConfig['rules'][number] & Decided)[]
  /** What became of calls that no rule is for, or whose path could not be told. */
  readonly default: Decided & { readonly is: AuthorizeConfig['default'] }
}

/** What is decided of one call. */
export interface Decision {
  readonly allowed: boolean
  /** The answer to give where it is not. */
  readonly problem?: ProblemAnswer
}

interface ExpressLike extends AuthorizedRequest {
  readonly originalUrl?: string | undefined
}

interface Answering {
  writeHead(status: number, headers: Record<string, string>): { end(body: string): unknown }
}

interface FastifyLike {
  addHook(name: 'onRequest', hook: (request: { readonly raw: AuthorizedRequest }, reply: FastifyReplyLike, done: () => void) => void): unknown
}

interface FastifyReplyLike {
  code(status: number): { headers(headers: Record<string, string>): { send(body: string): unknown } }
}

interface HonoLike {
  readonly req: { readonly method: string, readonly url: string }
  readonly env: unknown
}

/** Who may call what of this server. */
export interface Authorization {
  /** For `node:http`, `https`, and the compatibility API of `http2`: calls the listener for requests that are allowed, and answers the others. */
  guard<Request extends AuthorizedRequest, Response extends Answering>(listener: (request: Request, response: Response) => unknown): (request: Request, response: Response) => void
  /** The same for the listeners of `node:http` and `https`. */
  guard(listener: (request: IncomingMessage, response: ServerResponse & { req: IncomingMessage }) => unknown): (request: IncomingMessage, response: ServerResponse & { req: IncomingMessage }) => void
  /** Middleware of Express 4 and 5: `app.use(authorization.express)`, before all that it is to guard. */
  readonly express: (request: ExpressLike, response: Answering, next: () => void) => void
  /** Plugin of Fastify 4 and 5: `app.register(authorization.fastify)`, for the whole app. */
  readonly fastify: (instance: FastifyLike) => Promise<void>
  /** Middleware of Hono on `@hono/node-server`: `app.use(authorization.hono)`. Elsewhere no caller has a certificate. */
  readonly hono: (context: HonoLike, next: () => Promise<void>) => Promise<Response | void>
  /** Decides on a request that comes another way, for an upgrade for instance: those pass by the other hooks. Counts and tells as they do. */
  decide(request: AuthorizedRequest): Decision
  /** How it goes. */
  status(): AuthorizationStatus
  /** Adds a listener; the returned function removes it. */
  on<Event extends keyof AuthorizationEvents>(event: Event, listener: (detail: AuthorizationEvents[Event]) => void): () => void
}

/**
 * Which services may call which routes of this server, known by the certificates that they show (see `meshTls`). Whoever may not is answered with 403, a problem by
 * RFC 9457 with the header `enmesh-error: ENMESH_NOT_AUTHORIZED`, before the application sees the request.
 * Throws a `MeshConfigError` that names every fault of the options.
 */
export const authorize = (options: AuthorizeOptions): Authorization => {
  const { runtime, ...input } = options
  const { value, faults } = parse(authorizeConfig, input)
  if (value === undefined) throw new MeshConfigError(faults.map(({ path, message }) => ({ path: path === '' ? 'authorize' : `authorize.${path}`, message })))
  return new AccessControl(value, { ...systemRuntime(), ...runtime })
}

const allowed: Decision = { allowed: true }

class AccessControl implements Authorization {
  readonly express: Authorization['express']
  readonly fastify: Authorization['fastify']
  readonly hono: Authorization['hono']
  readonly #config: AuthorizeConfig
  readonly #runtime: Runtime
  readonly #rules: readonly Rule[]
  readonly #unruled = { allowed: 0, denied: 0 }

  constructor(config: AuthorizeConfig, runtime: Runtime) {
    this.#config = config
    this.#runtime = runtime
    this.#rules = readyRules(config.rules)
    this.express = (request, response, next) => {
      const { problem } = this.#decide(request.method, request.originalUrl ?? request.url, request.socket)
      if (problem) answer(response, problem)
      else next()
    }
    const fastify: Authorization['fastify'] = async (instance) => {
      instance.addHook('onRequest', ({ raw }, reply, done) => {
        const { problem } = this.decide(raw)
        if (problem) reply.code(problem.status).headers(problem.headers).send(problem.body)
        else done()
      })
    }
    this.fastify = Object.assign(fastify, {
      // What the package fastify-plugin does: the hook is to hold for the whole app.
      [Symbol.for('skip-override')]: true,
      [Symbol.for('fastify.display-name')]: 'enmesh/server authorization',
    })
    this.hono = async ({ req, env }, next) => {
      const { incoming } = (env ?? {}) as { incoming?: AuthorizedRequest }
      const { problem } = this.#decide(req.method, incoming?.url ?? req.url, incoming?.socket ?? {})
      return problem ? new Response(problem.body, { status: problem.status, headers: problem.headers }) : next()
    }
  }

  guard<Request extends AuthorizedRequest, Response extends Answering>(listener: (request: Request, response: Response) => unknown): (request: Request, response: Response) => void {
    const decide = (request: Request): Decision => this.decide(request)
    // Called as Node calls it: listeners written as functions find their server in `this`.
    return function (this: unknown, request, response) {
      const { problem } = decide(request)
      if (problem) answer(response, problem)
      else Reflect.apply(listener, this, [request, response])
    }
  }

  decide({ method, url, socket }: AuthorizedRequest): Decision {
    return this.#decide(method, url, socket)
  }

  #decide(method = 'GET', target = '/', socket: CallerSocket): Decision {
    const caller = callerOf(socket)
    const verdict = judgeCall(this.#rules, this.#config.default, method, target, caller)
    const counts = verdict.rule ?? this.#unruled
    if (verdict.allowed) {
      counts.allowed++
      return allowed
    }
    counts.denied++
    const path = nameOf(writtenPath(target))
    this.#tell(verdict, caller, method, path, socket)
    if (this.#config.mode === 'audit') return allowed
    const who = caller.verified ? `the caller ${caller.names.length > 0 ? caller.names.map((name) => `'${name}'`).join(', ') : 'without a name'}` : 'a caller without a trusted certificate'
    return { allowed: false, problem: problemAnswer(403, 'Forbidden', 'ENMESH_NOT_AUTHORIZED', `${method} ${path} is not open to ${who}: ${verdict.reason}.`) }
  }

  #tell({ reason }: Verdict, { subject, names }: Caller, method: string, path: string, socket: CallerSocket): void {
    if (!this.#runtime.channels.heard('call-denied')) return
    const detail: AuthorizationEvents['call-denied'] = {
      client: addressOf(socket), ...(subject !== undefined && { subject }), names, method, path, reason, enforced: this.#config.mode === 'enforce',
    }
    this.#runtime.channels.publish('call-denied', detail)
  }

  on<Event extends keyof AuthorizationEvents>(event: Event, listener: (detail: AuthorizationEvents[Event]) => void): () => void {
    return this.#runtime.channels.on(event, listener as (detail: object) => void)
  }

  status(): AuthorizationStatus {
    return {
      mode: this.#config.mode,
      rules: this.#rules.map(({ config, allowed, denied }) => ({ ...config, allowed, denied })),
      default: { is: this.#config.default, ...this.#unruled },
    }
  }
}

const answer = (response: Answering, { status, headers, body }: ProblemAnswer): void => { response.writeHead(status, { ...headers }).end(body) }
