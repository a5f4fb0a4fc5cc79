/**
 * One instance of a service, as a process that can be killed. It works on a few requests at once, by timers: its speed is not that of the machine.
 * It takes no requests before it is told where. Its arguments: its name and its version.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { systemClock } from '../../runtime/clock.ts'
import { well, type Behaviour } from '../faults/behaviour.ts'
import { servedByHeader, versionHeader } from '../ways/way.ts'
import { answerParent } from './worker.ts'

const [name = '', version = ''] = process.argv.slice(2)
const headers: Record<string, string> = { [servedByHeader]: name, [versionHeader]: version }
const waiting = new Set<() => void>()
let behaviour = well
let working = 0
let got = 0

const next = (): void => {
  for (const begin of waiting) {
    if (working >= behaviour.slots) return
    waiting.delete(begin)
    begin()
  }
}

const serve = (response: ServerResponse): void => {
  const begin = (): void => {
    working++
    const cancel = systemClock.after(behaviour.work, () => response.writeHead(200, headers).end('{"price":42}'))
    response.once('close', () => {
      cancel()
      working--
      next()
    })
  }
  waiting.add(begin)
  // One whose caller went away while it waited is never begun.
  response.once('close', () => waiting.delete(begin))
  next()
}

const take = (request: IncomingMessage, response: ServerResponse): void => {
  const isCheck = request.url === '/health'
  if (!isCheck) got++
  switch (behaviour.kind) {
    case 'failing': return void response.writeHead(503, headers).end('out of order')
    case 'hanging': return
    case 'resetting': return void request.socket.resetAndDestroy()
    case 'well': return isCheck ? void response.writeHead(200, headers).end('well') : serve(response)
  }
}

const server = createServer({ keepAliveTimeout: 60_000 }, take)

const handlers = {
  /** Listens at a port, 0 for any. Resolves with it. */
  listen: (port: number): Promise<number> => new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  }),
  behave(next: Behaviour): void { behaviour = next },
  /** Requests that it got, health checks apart. */
  got: (): number => got,
  /** Takes no more connections, ends each that it has after its answer, and resolves when all are gone; after half a second whatever is left. */
  drain: (): Promise<void> => new Promise((resolve) => {
    headers['connection'] = 'close'
    server.close(() => resolve())
    server.closeIdleConnections()
    systemClock.after(500, resolve)
  }),
} as const

/** What an instance is asked for. */
export type InstanceHandlers = typeof handlers

answerParent(handlers)
