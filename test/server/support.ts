import { request as send, createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createAdaptorServer } from '@hono/node-server'
import { trace } from '@opentelemetry/api'
import express, { type ErrorRequestHandler, type Request } from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { createMesh, type Mesh, type MeshInput, type MeshOptions } from '../../src/index.ts'
import {
  currentPassport, expressPassport, fastifyPassport, honoPassport, withPassport, type PassportOptions,
} from '../../src/server/index.ts'

/** What the app of a test does, the same in every framework. */
export interface App {
  /** `GET /shops/:shop/things/:thing`; what it returns is answered as JSON. What it throws is for the framework to answer. */
  readonly thing: (thing: string) => unknown
  readonly options?: PassportOptions
}

/** The app, served by one framework. Beside `thing` there is `POST /echo`, which parses a JSON body and answers with what it sees then. */
export type Serve = (app: App) => Promise<Server> | Server

const seen = (body: unknown): object => ({
  body, requestId: currentPassport()?.requestId ?? 'none', span: trace.getActiveSpan()?.spanContext().spanId,
})

const node: Serve = ({ thing, options }) => createServer(withPassport((request, response) => {
  const [, , , , name = ''] = (request.url ?? '').split('?')[0]!.split('/')
  const answer = (status: number, body: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
  if (request.method === 'POST') {
    let text = ''
    request.setEncoding('utf8').on('data', (chunk: string) => { text += chunk }).on('end', () => answer(200, seen(JSON.parse(text))))
  } else if (!request.url?.startsWith('/shops/')) {
    answer(404, {})
  } else {
    Promise.resolve().then(() => thing(name)).then((made) => answer(200, made), () => answer(500, {}))
  }
}, options))

const inExpress: Serve = ({ thing, options }) => {
  const app = express()
  app.use(expressPassport(options))
  app.use(express.json())
  app.post('/echo', (request, response) => { response.json(seen(request.body)) })
  const shop = express.Router({ mergeParams: true })
  shop.get('/things/:thing', async (request: Request<{ thing: string }>, response) => { response.json(await thing(request.params.thing)) })
  app.use('/shops/:shop', shop)
  const answerFailure: ErrorRequestHandler = (_error, _request, response, next) => {
    if (response.headersSent) next()
    else response.status(500).json({})
  }
  app.use(answerFailure)
  return createServer(app)
}

const inFastify: Serve = async ({ thing, options }) => {
  const app = Fastify()
  await app.register(fastifyPassport, { ...options })
  app.post('/echo', async (request) => seen(request.body))
  await app.register(async (scope) => {
    scope.get<{ Params: { thing: string } }>('/things/:thing', async (request) => thing(request.params.thing))
  }, { prefix: '/shops/:shop' })
  await app.ready()
  return app.server
}

const inHono: Serve = ({ thing, options }) => {
  const app = new Hono()
  app.use(honoPassport(options))
  app.post('/echo', async (context) => context.json(seen(await context.req.json())))
  const shop = new Hono()
  shop.get('/things/:thing', async (context) => context.json(await thing(context.req.param('thing')) as object))
  app.route('/shops/:shop', shop)
  app.onError((_error, context) => context.json({}, 500))
  return createAdaptorServer({ fetch: app.fetch }) as Server
}

/** All that there is a hook for. */
export const frameworks: Readonly<Record<string, Serve>> = { 'node:http': node, 'Express': inExpress, 'Fastify': inFastify, 'Hono': inHono }

/** Lets a server listen on the loopback until the test is over; resolves with its address. */
export const listening = async (t: TestContext, server: Server): Promise<string> => {
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(async () => {
    const closed = new Promise((resolve) => { server.close(resolve) })
    server.closeAllConnections()
    await closed
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** An answer, read whole. */
export interface Answer { readonly status: number, readonly headers: IncomingHttpHeaders, readonly body: string }

/** Sends one request on a connection of its own; a header with several values goes out as several fields. */
export const ask = (
  address: string, path: string, headers: Readonly<Record<string, string | readonly string[]>> = {}, body?: string, method = body === undefined ? 'GET' : 'POST',
): Promise<Answer> => new Promise((resolve, reject) => {
  const [host, port] = address.split(':')
  const request = send({ host, port, path, method, headers: headers as Record<string, string | string[]>, agent: false }, (response) => {
    let text = ''
    response.setEncoding('utf8').on('data', (chunk: string) => { text += chunk })
      .on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body: text })).on('error', reject)
  })
  request.on('error', reject).end(body)
})

/** A server that notes the headers of what arrives, and answers `ok`. */
export const recorder = async (t: TestContext): Promise<{ readonly address: string, readonly headers: IncomingHttpHeaders[] }> => {
  const headers: IncomingHttpHeaders[] = []
  const address = await listening(t, createServer((request, response) => {
    headers.push(request.headers)
    response.end('ok')
  }))
  return { address, headers }
}

/** A mesh that lives as long as the test. */
export const meshFor = (t: TestContext, config: MeshInput, options: MeshOptions = {}): Mesh => {
  const mesh = createMesh(config, options)
  t.after(() => mesh.close())
  return mesh
}

/** Some turns of the event loop, as many as a number says: so that what overlaps ends in another order than it began. */
export const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await nextTurn()
}
