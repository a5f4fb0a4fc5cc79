import { circuitBreaker, ExponentialBackoff, handleAll, retry, SamplingBreaker, timeout, TimeoutStrategy, wrap } from 'cockatiel'
import { expectOk, lengthOf, type OpenMode } from './modes.ts'

/** Retry, breaker and timeout put together from cockatiel's policies around the platform's fetch, as its pages show. */
export const open: OpenMode = ([port]) => {
  const policy = wrap(
    retry(handleAll, { maxAttempts: 2, backoff: new ExponentialBackoff({ initialDelay: 25 }) }),
    circuitBreaker(handleAll, { halfOpenAfter: 5_000, breaker: new SamplingBreaker({ threshold: 0.5, duration: 10_000, minimumRps: 2 }) }),
    timeout(10_000, TimeoutStrategy.Cooperative),
  )
  // The body is read inside: when what it runs is over, the timeout aborts its signal, and a body still coming with it.
  const get = <T>(path: string, read: (response: Response) => Promise<T>): Promise<T> => policy.execute(async ({ signal }) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal })
    expectOk(response.status)
    return read(response)
  })
  return {
    text: (path) => get(path, (response) => response.text()),
    stream: (path) => get(path, (response) => lengthOf(response.body!)),
    close: async () => {},
  }
}
