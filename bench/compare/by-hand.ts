import { readFileSync } from 'node:fs'
import CircuitBreaker from 'opossum'
import pRetry, { AbortError } from 'p-retry'
import { Agent, fetch } from 'undici'
import { attemptTimeout } from '../../src/compare/situation.ts'
import { answerOf, expectOk, servedByHeader, Turns, versionHeader, type OpenWay } from '../../src/compare/ways/way.ts'

/** What an attempt found: its body is read, so that the attempt's timeout covers it. */
interface Found {
  readonly status: number
  readonly servedBy: string | null
  readonly version: string | null
  readonly length: number
}

/** A status that another attempt may better. */
class Unavailable extends Error {
  readonly found: Found

  constructor(found: Found) {
    super(`The answer was ${found.status}`)
    this.found = found
  }
}

/**
 * What people put together today: undici's fetch with a keep-alive agent that waits as long for a head, instances by turns, opossum's breaker and timeout around each attempt,
 * p-retry around both.
 */
export const open: OpenWay = ({ origins, tls }) => {
  const turns = new Turns(origins)
  const dispatcher = new Agent({
    connections: 128,
    // opossum's timeout gives up waiting, and leaves the request under way: this ends it, and frees its connection.
    headersTimeout: attemptTimeout,
    ...(tls && { connect: { ca: readFileSync(tls.ca), cert: readFileSync(tls.cert), key: readFileSync(tls.key), servername: tls.servername } }),
  })
  const attempt = async (path: string, signal?: AbortSignal): Promise<Found> => {
    const response = await fetch(`${turns.next()}${path}`, { dispatcher, ...(signal && { signal }) })
    const found = {
      status: response.status, servedBy: response.headers.get(servedByHeader), version: response.headers.get(versionHeader),
      length: (await response.text()).length,
    }
    if (found.status === 502 || found.status === 503 || found.status === 504) throw new Unavailable(found)
    return found
  }
  const breaker = new CircuitBreaker(attempt, {
    timeout: attemptTimeout, rollingCountTimeout: 10_000, volumeThreshold: 20, errorThresholdPercentage: 50, resetTimeout: 5_000,
  })
  const call = async (path: string, signal?: AbortSignal): Promise<Found> => {
    try {
      return await pRetry(async () => {
        if (breaker.opened) throw new AbortError('The breaker is open')
        return breaker.fire(path, signal)
      }, { retries: 2, minTimeout: 25, maxTimeout: 250, randomize: true, ...(signal && { signal }) })
    } catch (error) {
      if (error instanceof Unavailable) return error.found
      throw error
    }
  }
  return {
    async send(path) {
      const { status, length } = await call(path)
      expectOk(status)
      return length
    },
    async look(path, signal) {
      const { status, servedBy, version } = await call(path, signal)
      return answerOf(status, servedBy, version)
    },
    apply: ({ origins }) => turns.replace(origins),
    async close() {
      breaker.shutdown()
      await dispatcher.destroy()
    },
  }
}
