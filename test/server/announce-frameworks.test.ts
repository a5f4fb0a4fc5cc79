import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createSecureServer } from 'node:https'
import { Agent, request as secureRequest } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { describe, test } from 'node:test'
import { connect as connectSecurely } from 'node:tls'
import { serve } from '@hono/node-server'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { announce, registrars } from '../../src/server/index.ts'
import { fakeRuntime, FakeRegistrar, settle } from '../../src/testing/index.ts'
import { authority } from '../support/authority.ts'

const announced = (server: Server, registrar: FakeRegistrar) => {
  const runtime = fakeRuntime()
  const announcement = announce(server, { service: 'shop', registry: { type: 'fake' }, registrars: registrars.with(registrar.kind), runtime, signals: [] })
  return { announcement, clock: runtime.clock }
}

const urlOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`

/** A request while it leaves is answered and ends its connection; then the server is closed. */
const leaves = async (server: Server, ask: () => Promise<Response>): Promise<void> => {
  const registrar = new FakeRegistrar()
  const { announcement, clock } = announced(server, registrar)
  await announcement.registered
  assert.equal((await ask()).headers.get('connection'), 'keep-alive')
  const left = announcement.leave()
  while (registrar.instances.size > 0) await settle()
  const answer = await ask()
  assert.deepEqual([await answer.text(), answer.headers.get('connection')], ['hello', 'close'])
  await clock.advance(5_000)
  await left
  assert.equal(server.listening, false)
  await assert.rejects(ask())
}

describe('an announcement of', () => {
  test('Express: what app.listen() returns', async () => {
    const app = express().get('/', (_, response) => { response.send('hello') })
    const server = app.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = urlOf(server)
    await leaves(server, () => fetch(url))
  })

  test('Fastify: app.server', async () => {
    const app = Fastify()
    app.get('/', async () => 'hello')
    await app.listen({ port: 0, host: '127.0.0.1' })
    const url = urlOf(app.server)
    await leaves(app.server, () => fetch(url))
    await app.close()
  })

  test('Fastify: app.close() leaves first where a hook says so', async () => {
    const app = Fastify()
    app.get('/', async () => 'hello')
    const registrar = new FakeRegistrar()
    const { announcement, clock } = announced(app.server, registrar)
    app.addHook('preClose', () => announcement.leave())
    await app.listen({ port: 0, host: '127.0.0.1' })
    await announcement.registered
    const closed = app.close()
    while (registrar.instances.size > 0) await settle()
    assert.equal(app.server.listening, true)
    await clock.advance(5_000)
    await closed
    assert.equal(announcement.status().state, 'left')
  })

  test("Hono: what serve() of its server for Node returns", async () => {
    const app = new Hono().get('/', (context) => context.text('hello'))
    const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
    if (!server.listening) await once(server, 'listening')
    const url = urlOf(server)
    await leaves(server, () => fetch(url))
  })

  test('a server of https', { skip: authority() === undefined && 'openssl is missing' }, async () => {
    const { root, server: { cert, key } } = authority()!
    const server = createSecureServer({ cert, key }, (_, response) => response.end('hello')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const agent = new Agent({ keepAlive: true, ca: root })
    const ask = (): Promise<Response> => new Promise((resolve, reject) => {
      secureRequest({ port, host: '127.0.0.1', agent }, async (response) => {
        const body = (await response.toArray()).join('')
        resolve(new Response(body, { headers: { connection: response.headers.connection! } }))
      }).on('error', reject).end()
    })
    await leaves(server, ask)
    agent.destroy()
  })

  test('a server of https, to which somebody has shaken hands and says nothing', { skip: authority() === undefined && 'openssl is missing' }, async (t) => {
    const { root, server: { cert, key } } = authority()!
    const server = createSecureServer({ cert, key }, (_, response) => response.end('hello')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { announcement, clock } = announced(server, new FakeRegistrar())
    await announcement.registered
    const accepted = once(server, 'secureConnection')
    const mute = connectSecurely({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', ca: root })
    t.after(() => mute.destroy())
    await Promise.all([once(mute, 'secureConnect'), accepted])
    const left = announcement.leave()
    while (announcement.status().state !== 'leaving') await settle()
    await clock.advance(5_000)
    await clock.advance(1_000)
    await left
  })
})
