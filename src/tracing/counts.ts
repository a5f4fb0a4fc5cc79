import type { Attributes } from '@opentelemetry/api'
import type { Ending } from '../core/reply.ts'
import type { RequestHead } from '../core/request.ts'
import { knownMethod } from './url.ts'
import type { HttpVersion } from './version.ts'

/*
 * Callers choose the method, and the port where a service's name has none; endpoints choose the status. None of them may make
 * series without end, nor objects that are kept.
 */

/** Ports of one service that have series of their own. */
const mostPorts = 16
/** Sets of attributes kept for one kind of request; further ones are made anew each time. */
const mostOutcomes = 64

/** Attempts of one kind: the same cluster, service, port and method. */
export class RequestCounts {
  /** Under way. */
  active = 0
  readonly attributes: Attributes
  readonly #outcomes = { '1.1': new Map<number | string, Attributes>(), '2': new Map<number | string, Attributes>() }

  constructor(attributes: Attributes) {
    this.attributes = attributes
  }

  /** The attributes of an attempt that ended so; the same object for the same end, as long as there are not too many. */
  outcome(version: HttpVersion, status: number, ending: Ending): Attributes {
    const code = typeof ending === 'object' ? ending.code : undefined
    const key = code === undefined ? status : `${code} ${status}`
    const outcomes = this.#outcomes[version]
    const known = outcomes.get(key)
    if (known) return known
    const made = this.#attributes(version, status, code ?? (status >= 400 ? String(status) : undefined))
    if (outcomes.size < mostOutcomes) outcomes.set(key, made)
    return made
  }

  #attributes(version: HttpVersion, status: number, error: string | undefined): Attributes {
    return {
      ...this.attributes,
      'network.protocol.version': version,
      ...(status > 0 && { 'http.response.status_code': status }),
      ...(error !== undefined && { 'error.type': error }),
    }
  }
}

/** What an attempt that ended says of its endpoint; `none` for one that its caller gave up. */
export type Verdict = 'success' | 'failure' | 'none'

/** Counts of one cluster: plain numbers, read when somebody collects. */
export class ClusterCounts {
  readonly attempts: Record<Verdict, number> = { success: 0, failure: 0, none: 0 }
  /** By what the attempt before ended with: a status or the code of an error. */
  readonly retries = new Map<string, number>()
  ejections = 0
  /** Health checks by what they found. */
  readonly checks = new Map<string, number>()
  readonly #cluster: string
  readonly #hosts = new Map<string, Map<number, Map<string, RequestCounts>>>()

  constructor(cluster: string) {
    this.#cluster = cluster
  }

  /** The counts for attempts of a request. */
  of({ host, port, method }: RequestHead): RequestCounts {
    return this.#hosts.get(host)?.get(port)?.get(method) ?? this.#make(host, port, method)
  }

  /** All counts of requests. */
  * requests(): Iterable<RequestCounts> {
    for (const ports of this.#hosts.values()) for (const methods of ports.values()) yield* methods.values()
  }

  /** Counts a retry by its reason in the words of the trail. */
  retried(why: string): void {
    const reason = /^retry after (.*)$/.exec(why)?.[1]
    if (reason !== undefined) this.retries.set(reason, (this.retries.get(reason) ?? 0) + 1)
  }

  #make(host: string, port: number, method: string): RequestCounts {
    const ports = entry(this.#hosts, host, () => new Map<number, Map<string, RequestCounts>>())
    const named = ports.has(port) || ports.size < mostPorts
    // Ports beyond those share one entry that names none; no request has port 0.
    const methods = entry(ports, named ? port : 0, () => new Map<string, RequestCounts>())
    const known = knownMethod(method)
    return entry(methods, known, () => new RequestCounts({
      'http.request.method': known,
      'server.address': host,
      ...(named && { 'server.port': port }),
      'enmesh.cluster': this.#cluster,
    }))
  }
}

const entry = <K, V>(map: Map<K, V>, key: K, make: () => V): V => {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}
