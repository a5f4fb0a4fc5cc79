/**
 * One service of the shop: it answers 1 KiB of JSON, after it asked the next service if there is one. A plain server of Node, at two ports, as if it
 * were two instances. Its argument is the module of the way to the next service.
 */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answerParent } from '../../src/compare/processes/worker.ts'
import type { OpenWay, Setting, Way } from '../../src/compare/ways/way.ts'

const module = process.argv[2]
let next: Way | undefined

const answer = async (response: ServerResponse): Promise<void> => {
  try {
    const read = await next?.send('/next') ?? 0
    const body = JSON.stringify({ read, text: 'x'.repeat(1_024 - 24 + 5 - String(read).length) })
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
  } catch (error) {
    response.writeHead(502).end(error instanceof Error ? error.message : String(error))
  }
}

const listen = async (): Promise<number> => {
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    if (request.url === '/health') response.end('well')
    else void answer(response)
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  return (server.address() as AddressInfo).port
}

const ports = await Promise.all([listen(), listen()])

const handlers = {
  ports: (): readonly number[] => ports,
  async open(setting: Setting): Promise<void> {
    const { open } = await import(module!) as { readonly open: OpenWay }
    next = await open(setting)
  },
} as const

/** What a service of the shop is asked for. */
export type ShopHandlers = typeof handlers

answerParent(handlers)
