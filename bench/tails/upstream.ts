/**
 * The ten servers, in a process of their own. Each works on a few requests at once, by timers: its speed is not that of the machine.
 * Told `Conditions`, they start afresh and answer with their ports; told 'tally', they answer with what they got.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { busyTime } from '../../src/runtime/busy.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { LoadMeter } from '../../src/server/load-meter.ts'
import { reportLoad } from '../../src/server/report-load.ts'
import { badServer, serverCount, slots, type Fault } from './faults.ts'

/** How the servers are to behave from now on. */
export interface Conditions {
  readonly fault: Fault
  /** Whether answers tell the load of their server, as `enmesh/server` does. */
  readonly reports: boolean
}

/** Requests that each server got, health checks apart. */
export interface Tally {
  readonly settling: readonly number[]
  readonly counted: readonly number[]
}

/** Node's response as the inbound side knows it, which is for frameworks too. */
type Reported = Parameters<typeof reportLoad>[3]

const slowness = 10

class Server {
  settling = 0
  counted = 0
  readonly #fault: Fault
  readonly #meter: LoadMeter | undefined
  readonly #queue = new Set<() => void>()
  #free = slots

  constructor(fault: Fault, reports: boolean) {
    this.#fault = fault
    this.#meter = reports ? new LoadMeter(systemClock, busyTime) : undefined
  }

  take(request: IncomingMessage, response: ServerResponse): void {
    const [, phase, work] = request.url!.split('/')
    if (phase === 'counted') this.counted++
    if (phase === 'settling') this.settling++
    if (this.#meter) reportLoad(this.#meter, systemClock, request.httpVersion, response as Reported)
    switch (this.#fault) {
      case 'instant 503': return void response.writeHead(503).end()
      case 'hanging': return
      case 'resetting': return void request.socket.resetAndDestroy()
      case 'slow': return this.#serve(Number(work ?? 0) * slowness, response)
      case 'none': return this.#serve(Number(work ?? 0), response)
    }
  }

  #serve(ms: number, response: ServerResponse): void {
    // A health check asks for no work, and takes no place from those who do.
    if (ms === 0) return void response.end('well')
    const begin = (): void => {
      this.#free--
      const timer = setTimeout(() => response.end('done'), ms)
      response.once('close', () => {
        clearTimeout(timer)
        this.#free++
        this.#next()
      })
    }
    if (this.#free > 0) return begin()
    this.#queue.add(begin)
    response.once('close', () => this.#queue.delete(begin))
  }

  #next(): void {
    for (const begin of this.#queue) {
      this.#queue.delete(begin)
      return begin()
    }
  }
}

const healthy = (): Server => new Server('none', false)
let servers: readonly Server[] = Array.from({ length: serverCount }, healthy)

const listen = async (index: number): Promise<number> => {
  const listener = createServer({ keepAliveTimeout: 60_000 }, (request, response) => servers[index]!.take(request, response))
  await new Promise<void>((resolve) => { listener.listen(0, '127.0.0.1', resolve) })
  return (listener.address() as AddressInfo).port
}

const ports = await Promise.all(servers.map((_, index) => listen(index)))

process.on('message', (message: Conditions | 'tally') => {
  if (message === 'tally') {
    const tally: Tally = { settling: servers.map(({ settling }) => settling), counted: servers.map(({ counted }) => counted) }
    return void process.send!(tally)
  }
  servers = servers.map((_, index) => new Server(index === badServer ? message.fault : 'none', message.reports))
  process.send!(ports)
})
process.once('disconnect', () => process.exit())
process.send!('ready')
