import type { EventEmitter } from 'node:events'
import type { Peer } from '../tracing/peer.ts'
import type { InboundRequest } from '../tracing/server-span.ts'

/** A request as Node's servers of HTTP/1 and HTTP/2 give it, and as frameworks on top extend it. */
export interface NodeRequest extends EventEmitter {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly httpVersion: string
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly socket: { readonly remoteAddress?: string | undefined, readonly remotePort?: number | undefined }
}

/** The response beside it. */
export interface NodeResponse extends EventEmitter {
  readonly statusCode: number
  readonly headersSent: boolean
  /** Writes a header field, as long as the head is not out. */
  setHeader(name: string, value: string): unknown
}

/** What a framework knows of a request beside Node. */
export interface Framework {
  /** Address of the client, and the scheme that it used, by the proxies that the framework trusts. */
  readonly client?: string | undefined
  readonly scheme?: string | undefined
  /** The target as it came, where the framework changes it. */
  readonly target?: string | undefined
  /** Begins to follow the request; what it returns says, when the response is over, the pattern of the route that took it. */
  readonly followRoute?: () => () => string | undefined
}

/**
 * A request of Node's, read only as far as it is asked about: without an SDK that is a few of its header fields. It has methods and no functions of its own:
 * V8 puts a function that is a field's initialiser into old space, and the request with it.
 */
export class NodeInbound implements InboundRequest {
  readonly #request: NodeRequest
  readonly #framework: Framework

  constructor(request: NodeRequest, framework: Framework) {
    this.#request = request
    this.#framework = framework
  }

  get method(): string {
    return this.#request.method ?? 'GET'
  }

  get target(): string {
    return this.#framework.target ?? this.#request.url ?? '/'
  }

  get scheme(): string {
    return this.#framework.scheme ?? ('encrypted' in this.#request.socket ? 'https' : 'http')
  }

  get authority(): string | undefined {
    return this.header('host') ?? this.header(':authority')
  }

  get version(): string {
    return this.#request.httpVersion.replace(/^([23])\.0$/, '$1')
  }

  get client(): string | undefined {
    return this.#framework.client ?? this.#request.socket.remoteAddress
  }

  get peer(): Peer | undefined {
    const { remoteAddress, remotePort } = this.#request.socket
    return remoteAddress === undefined || remotePort === undefined ? undefined : { host: remoteAddress, port: remotePort }
  }

  names(): readonly string[] {
    return Object.keys(this.#request.headers)
  }

  /** Node has joined fields of one name by commas already, but for `set-cookie`. */
  header(name: string): string | undefined {
    const value = this.#request.headers[name]
    return value === undefined || typeof value === 'string' ? value : value.join(', ')
  }
}
