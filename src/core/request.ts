/** What is sent as a body: a fresh one for each attempt, as long as the bytes can be had again. */
export interface RequestBody {
  /** Whether another attempt could send the same bytes. */
  readonly replayable: boolean
  /** The body for one attempt, in a form that undici's `dispatch` takes. */
  open(): string | Uint8Array | Blob | FormData | AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>
  /** What the caller's source failed with, if it did: then no endpoint is to blame. */
  readonly error?: unknown
  /** Stops whoever reads it, so that it stays replayable until it is opened again. */
  hold(): void
  /** Lets go of the source when the call is over. */
  release(): void
}

/** Header fields in pairs: name, value, name, value. Names keep the caller's spelling. */
export type HeaderList = readonly string[]

/** Methods that mean the same sent once or twice (RFC 9110 and the QUERY method). */
export const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE', 'QUERY'])

/** What a request is made of. */
export interface RequestFields {
  readonly method: string
  readonly scheme: 'http' | 'https'
  readonly host: string
  readonly port: number
  readonly path: string
  readonly headers: HeaderList
  readonly body?: RequestBody | undefined
  readonly hostHeader?: string | undefined
  readonly upgrade?: string | undefined
  readonly connection?: boolean | undefined
}

/** What the caller asked for. */
export class RequestHead {
  readonly method: string
  readonly scheme: 'http' | 'https'
  /** Lower-case host without a trailing dot, IPv6 in brackets. */
  readonly host: string
  /** As the URL says, or the scheme's default. */
  readonly port: number
  /** Path and query, as sent; of a `CONNECT` the `host:port` that it asks for. */
  readonly path: string
  readonly headers: HeaderList
  readonly body: RequestBody | undefined
  /** What is sent as `Host` in place of the authority. */
  readonly hostHeader: string | undefined
  /** The protocol that the connection is to change to, such as `websocket`. */
  readonly upgrade: string | undefined
  /** Whether a bare connection is asked for: nothing is written, and the caller speaks what it likes. Method and path are empty then. */
  readonly connection: boolean

  constructor(fields: RequestFields) {
    this.method = fields.method
    this.scheme = fields.scheme
    this.host = fields.host
    this.port = fields.port
    this.path = fields.path
    this.headers = fields.headers
    this.body = fields.body
    this.hostHeader = fields.hostHeader
    this.upgrade = fields.upgrade
    this.connection = fields.connection ?? false
  }

  /** Host with the port where it isn't the scheme's own. */
  get authority(): string {
    return this.port === (this.scheme === 'https' ? 443 : 80) ? this.host : `${this.host}:${this.port}`
  }

  /** The path without its query. */
  get pathname(): string {
    const query = this.path.indexOf('?')
    return query < 0 ? this.path : this.path.slice(0, query)
  }

  /** The query without its question mark; empty where there is none. */
  get search(): string {
    const query = this.path.indexOf('?')
    return query < 0 ? '' : this.path.slice(query + 1)
  }

  /** Value of a header, whatever the case of its name (given in lower case); several are joined as one list. */
  header(name: string): string | undefined {
    let found: string | undefined
    for (let i = 0; i < this.headers.length; i += 2) {
      const field = this.headers[i]!
      if (field.length !== name.length || (field !== name && field.toLowerCase() !== name)) continue
      const value = this.headers[i + 1]!
      found = found === undefined ? value : `${found}${name === 'cookie' ? '; ' : ', '}${value}`
    }
    return found
  }

  /** Value of a cookie that the request carries; the first if there are several of the name. */
  cookie(name: string): string | undefined {
    for (const pair of this.header('cookie')?.split(';') ?? []) {
      const equals = pair.indexOf('=')
      if (equals >= 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim()
    }
    return undefined
  }

  /** Whether sending it twice means the same as sending it once: by its method, or because it carries `Idempotency-Key`. */
  get idempotent(): boolean {
    return idempotentMethods.has(this.method) || this.header('idempotency-key') !== undefined
  }
}
