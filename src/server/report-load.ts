import type { Clock } from '../runtime/clock.ts'
import { listenFirst } from './listen-first.ts'
import { loadHeader, type LoadMeter } from './load-meter.ts'
import type { NodeResponse } from './node-inbound.ts'

type WriteHead = (this: unknown, ...head: unknown[]) => unknown

/**
 * Counts a request of Node's until its response is over, and has the response tell the load as its head goes out.
 * Over HTTP/2, where nothing is called when a head goes out by itself, it tells the load as of the request's arrival.
 */
export const reportLoad = (meter: LoadMeter, clock: Clock, version: string, response: NodeResponse & { writeHead?: WriteHead }): void => {
  const arrivedAt = clock.now()
  const inFlight = meter.begin()
  const { writeHead } = response
  const tellsWithHead = writeHead !== undefined && version.startsWith('1')
  let isOver = false
  listenFirst(response, 'close', () => {
    if (isOver) return
    isOver = true
    if (!tellsWithHead && response.headersSent) meter.answer(inFlight, clock.now() - arrivedAt, response.statusCode)
    meter.end()
  })
  if (!tellsWithHead) {
    if (!response.headersSent) response.setHeader(loadHeader, meter.report())
    return
  }
  // What the method does when Node calls it for a head that nobody wrote is to write one of the status so far.
  const writeOurs: WriteHead = function (...head) {
    if (!response.headersSent) {
      meter.answer(inFlight, clock.now() - arrivedAt, typeof head[0] === 'number' ? head[0] : response.statusCode)
      response.setHeader(loadHeader, meter.report())
    }
    return writeHead.apply(this, head)
  }
  // Not assigned as it is written, as in `keepContext`.
  response.writeHead = writeOurs
}
