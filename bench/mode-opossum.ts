import { setTimeout } from 'node:timers/promises'
import CircuitBreaker from 'opossum'
import { Agent, fetch, type Response } from 'undici'
import { expectOk, lengthOf, type OpenMode } from './modes.ts'

const attempts = 3

/** Retry, breaker and timeout as a service writes them by hand around undici's fetch. */
export const open: OpenMode = ([port]) => {
  const dispatcher = new Agent({ connections: 128 })
  const breaker = new CircuitBreaker(async (url: string): Promise<Response> => {
    const response = await fetch(url, { dispatcher })
    if (response.status >= 500) throw new Error(`${url} answered ${response.status}`)
    return response
  }, { timeout: 10_000, rollingCountTimeout: 10_000, volumeThreshold: 20, errorThresholdPercentage: 50, resetTimeout: 5_000 })

  const send = async (url: string, attempt: number): Promise<Response> => {
    try {
      return await breaker.fire(url)
    } catch (error) {
      if (attempt === attempts || breaker.opened) throw error
      await setTimeout(Math.random() * 25 * 2 ** attempt)
      return send(url, attempt + 1)
    }
  }
  const get = async (path: string): Promise<Response> => {
    const response = await send(`http://127.0.0.1:${port}${path}`, 1)
    expectOk(response.status)
    return response
  }
  return {
    text: async (path) => (await get(path)).text(),
    stream: async (path) => lengthOf((await get(path)).body!),
    close: async () => {
      breaker.shutdown()
      await dispatcher.close()
    },
  }
}
