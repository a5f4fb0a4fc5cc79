import type { MeshInput } from '../../mesh/config.ts'

/** Files of a mutual TLS between client and services: authority, certificate and key, and the name that the services' certificates carry. */
export interface Certificates {
  readonly ca: string
  readonly cert: string
  readonly key: string
  readonly servername: string
}

/** What a way is told of the services, when it opens and whenever something is pushed to it. */
export interface Setting {
  /** The mesh definition that all arrangements are made from. */
  readonly definition: MeshInput
  /** The service as a mesh knows it, without a path: `http://pricing.shop.local`. */
  readonly service: string
  /** What ways without a mesh dial, without a path: the instances, or the proxy. */
  readonly origins: readonly string[]
  /** Where the instances are dialled with TLS by the way itself. */
  readonly tls?: Certificates
}

/** An answer, as far as a caller can tell where it came from. */
export interface Answer {
  readonly status: number
  /** The instance that says it answered; absent where nobody says so. */
  readonly servedBy?: string
  /** The version of that instance. */
  readonly version?: string
}

/** One way of sending GETs to a service. */
export interface Way {
  /** Sends one and reads its answer to the end. Resolves with the length of the body; rejects for any status but 200. */
  send(path: string): Promise<number>
  /** The same, given up when `signal` aborts; resolves with what the caller sees, whatever the status. */
  look(path: string, signal: AbortSignal): Promise<Answer>
  /** Takes something new over. Throws where it refuses, and goes on as before. */
  apply(setting: Setting): void | Promise<void>
  close(): Promise<void>
}

/** What a way's module exports as `open`. */
export type OpenWay = (setting: Setting) => Way | Promise<Way>

/** Headers by which instances say who they are. */
export const servedByHeader = 'x-served-by'
export const versionHeader = 'x-served-version'

/** Refuses an answer that would make a way look cheap. */
export const expectOk = (status: number): void => {
  if (status !== 200) throw new Error(`The answer was ${status} where 200 was expected`)
}

/** A header as `fetch` or as undici gives it. */
type Header = string | readonly string[] | null | undefined

const text = (header: Header): string | null | undefined => typeof header === 'object' ? header?.[0] : header

/** An answer from its parts. */
export const answerOf = (status: number, by: Header, of: Header): Answer => {
  const [servedBy, version] = [text(by), text(of)]
  return { status, ...(servedBy && { servedBy }), ...(version && { version }) }
}

/** Goes through a list by turns; the list may be replaced. */
export class Turns {
  #origins: readonly string[]
  #turn = 0

  constructor(origins: readonly string[]) {
    this.#origins = origins
  }

  next(): string {
    return this.#origins[this.#turn++ % this.#origins.length]!
  }

  replace(origins: readonly string[]): void {
    this.#origins = origins
  }
}
