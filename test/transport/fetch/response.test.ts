import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import type { RequestListener } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import { toResponse, type MeshInput } from '../../../src/index.ts'
import { gate, rejection, story } from '../../scenarios/support/story.ts'
import { bodyOf, says } from '../../scenarios/support/upstream.ts'

const svc = (address: string): MeshInput => ({ services: { 'svc.test': { routes: [{ to: 'c', timeout: 0, retry: false }] } }, clusters: { c: { registry: { type: 'static', endpoints: [address] } } } })

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

test('toResponse gives the platform its own class, with what the service answered', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('hello', 201))
  const mesh = stage.mesh(svc(server.address))
  const response = await mesh.fetch('http://svc.test/a')
  const real = toResponse(response)
  const clone = Response.prototype.clone.call(real)
  assert.deepEqual([real.status, real.ok, real.url, real.type, real.headers.get('content-type')], [201, true, 'http://svc.test/a', 'basic', 'text/plain'])
  assert.equal(toResponse(response), real)
  assert.equal(toResponse(real), real)
  assert.deepEqual([await real.text(), await clone.text(), response.bodyUsed], ['hello', 'hello', true])
  await assert.rejects(response.text(), TypeError)
})

test('toResponse tells of a body that was read before, and of a status that the platform makes no Response of', async (t) => {
  const stage = story(t)
  const server = await stage.upstream((request, response) => { response.writeHead(Number(request.url!.slice(1))).end('x') })
  const mesh = stage.mesh(svc(server.address))
  const read = await mesh.fetch('http://svc.test/200')
  await read.text()
  assert.equal(toResponse(read).bodyUsed, true)
  const strange = await mesh.fetch('http://svc.test/799')
  assert.throws(() => toResponse(strange), { name: 'RangeError', message: /799/ })
  assert.equal(await strange.text(), 'x')
})

test('a trail belongs to the mesh that made the call', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says('hello'))
  const [mesh, other] = [stage.mesh(svc(server.address)), stage.mesh(svc(server.address))]
  const response = await mesh.fetch('http://svc.test/')
  await response.text()
  assert.equal(mesh.trail(response)?.endpoint, server.address)
  assert.equal(other.trail(response), undefined)
  assert.deepEqual([mesh.trail(toResponse(response)), other.trail(toResponse(response))], [mesh.trail(response), undefined])
})

test('toResponse is told what is no response at all', () => {
  for (const none of [null, undefined, 7]) assert.throws(() => toResponse(none as never), { name: 'TypeError', message: `toResponse takes a Response, not ${none}` })
  assert.throws(() => toResponse('a' as never), { name: 'TypeError', message: 'toResponse takes a Response, not text' })
})

test('a signal that outlives its calls keeps no listener of theirs', async (t) => {
  const stage = story(t)
  const answer: RequestListener = (request, response) => {
    if (request.url === '/moved') response.writeHead(302, { location: '/' }).end()
    else if (request.url === '/cut') request.socket.destroy()
    else if (request.url === '/packed') response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('packed'))
    else void bodyOf(request).then((body) => response.end(body))
  }
  const server = await stage.upstream(answer)
  const mesh = stage.mesh(svc(server.address))
  const { signal } = new AbortController()
  for (const path of ['', 'moved', 'packed']) await (await mesh.fetch(`http://svc.test/${path}`, { signal })).text()
  await (await mesh.fetch('http://svc.test/', { signal, method: 'POST', body: new Blob(['a']) })).text()
  await mesh.fetch('http://svc.test/', { signal })
  await rejection(mesh.fetch('http://svc.test/cut', { signal }))
  await rejection(mesh.fetch('http://svc.test/cut', { signal, method: 'POST', body: new Blob(['a']) }))
  for (let turn = 0; turn < 1_000 && getEventListeners(signal, 'abort').length > 0; turn++) await nextTurn()
  assert.equal(getEventListeners(signal, 'abort').length, 0)
})

const endless: RequestListener = (_, response) => {
  const write = (): void => { while (response.write(Buffer.alloc(65_536))); }
  response.on('drain', write).on('close', () => response.removeListener('drain', write))
  write()
}

// In a function of its own, so that nothing of it stays on the stack.
const forget = async (fetch: (url: string) => Promise<Response>, use: (response: Response) => unknown): Promise<void> => {
  const response = await fetch('http://svc.test/')
  use(response)
}

for (const [what, use] of [
  ['that nobody looked at', () => undefined],
  ['whose body was looked at', (response: Response) => response.body],
  ['that was cloned', (response: Response) => response.clone()],
  ['that was handed over to the platform', toResponse],
] as const) {
  test(`a long reply ${what} frees its socket when its response is collected`, async (t) => {
    const stage = story(t)
    const server = await stage.upstream(endless)
    const mesh = stage.mesh(svc(server.address))
    const deserted = gate()
    await forget(mesh.fetch, use)
    void server.deserted().then(() => deserted.open())
    let over = false
    void deserted.opened.then(() => { over = true })
    for (let turn = 0; turn < 2_000 && !over; turn++) {
      if (turn % 20 === 0) collectGarbage()
      await nextTurn()
    }
    assert.ok(over, 'the socket is held')
  })
}

test('a body goes on although only its stream is held', async (t) => {
  const stage = story(t)
  const go = gate()
  const server = await stage.upstream((_, response) => {
    response.write('begun')
    void go.opened.then(() => response.end(' and done'))
  })
  const mesh = stage.mesh(svc(server.address))
  const stream = (await mesh.fetch('http://svc.test/')).body!
  for (let turn = 0; turn < 60; turn++) {
    if (turn % 20 === 0) collectGarbage()
    await nextTurn()
  }
  go.open()
  assert.equal(await new Response(stream).text(), 'begun and done')
})
