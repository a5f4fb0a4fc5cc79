import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { big } from './server.mjs'

const own = 'http://svc.test'

/** One way to ask for both kinds of door: what comes back has a status, single header values, and the body in the ways a case needs. */
const ask = async (door, url, options = {}) => {
  const { form, ...rest } = options
  if (door.fetch) {
    const body = rest.body instanceof Readable ? Readable.toWeb(rest.body) : rest.body
    const response = await door.fetch(url, { ...rest, body, ...(body instanceof ReadableStream && { duplex: 'half' }) })
    return {
      status: response.status,
      header: (name) => response.headers.get(name),
      cookies: () => response.headers.getSetCookie(),
      chunks: () => response.body,
      text: () => response.text(),
    }
  }
  const { statusCode, headers, trailers, body } = await door.request(url, rest)
  return {
    status: statusCode,
    header: (name) => headers[name] ?? null,
    cookies: () => headers['set-cookie'],
    trailers,
    chunks: () => body,
    text: () => body.text(),
  }
}

const json = async (answer) => JSON.parse(await (await answer).text())

const rejection = async (promise) => {
  try {
    await promise
  } catch (error) {
    return error
  }
  return assert.fail('it did not reject')
}

/** The mesh's error, be it what is thrown or the cause of that. */
const meshError = async (promise) => {
  const error = await rejection(promise)
  const found = error.code?.startsWith('ENMESH_') ? error : error.cause
  assert.match(found?.code ?? String(error.stack), /^ENMESH_/)
  return found
}

const upTo = async (stream, bytes) => {
  let count = 0
  for await (const chunk of stream) {
    count += chunk.length
    if (count >= bytes) break
  }
  return count
}

const pieces = function* (count, size) {
  for (let i = 0; i < count; i++) yield Buffer.alloc(size, 'x')
}

/** A name that no other case uses, for what the server tells apart by it. */
const fresh = (() => {
  let number = 0
  return () => `${own}/flaky?${number++}`
})()

const exchangeLines = async (socket) => {
  socket.write('line')
  const [answer] = await once(socket, 'data')
  assert.equal(answer.toString(), 'echo line')
  socket.destroy()
  await once(socket, 'close')
}

const talk = async (WebSocket, url, options) => {
  const socket = new WebSocket(url, options)
  await once(socket, 'open')
  socket.send('word')
  const [{ data }] = await once(socket, 'message')
  assert.equal(data, 'echo word')
  socket.close(1000)
  const [{ code, wasClean }] = await once(socket, 'close')
  assert.deepEqual([code, wasClean], [1000, true])
}

const always = () => true

/** What is tried on each path: a name, the check, and for which doors it makes sense. */
export const cases = [
  ['GET', async (door) => {
    const answer = await ask(door, `${own}/hello`)
    assert.deepEqual([answer.status, await answer.text()], [200, 'hello'])
  }],
  ['query and header fields', async (door) => {
    const { url, a } = await json(ask(door, `${own}/echo?q=r`, { headers: { 'X-A': 'b' } }))
    assert.deepEqual([url, a], ['/echo?q=r', 'b'])
  }],
  ['POST of a string', async (door) => {
    const { method, body, length } = await json(ask(door, `${own}/echo`, { method: 'POST', body: 'text' }))
    assert.deepEqual([method, body, length], ['POST', 'text', '4'])
  }],
  ['POST with a content-length of the caller', async (door) => {
    const { body, length } = await json(ask(door, `${own}/echo`, { method: 'POST', body: 'text', headers: { 'Content-Length': '4' } }))
    assert.deepEqual([body, length], ['text', '4'])
  }],
  ['POST of bytes', async (door) => {
    assert.equal((await json(ask(door, `${own}/echo`, { method: 'POST', body: new Uint8Array([97, 98]) }))).body, 'ab')
  }],
  ['POST of a FormData', async (door) => {
    const form = new door.FormData()
    form.append('field', 'value')
    form.append('file', new Blob(['content']), 'name.txt')
    const { body, type } = await json(ask(door, `${own}/echo`, { method: 'POST', body: form }))
    assert.match(type, /^multipart\/form-data; boundary=/)
    assert.match(body, /name="field"\r\n\r\nvalue\r\n/)
    assert.match(body, /filename="name.txt"[^]*content\r\n/)
  }],
  ["POST of the platform's FormData to request", async (door) => {
    const form = new FormData()
    form.append('field', 'value')
    assert.match((await json(ask(door, `${own}/echo`, { method: 'POST', body: form }))).body, /name="field"\r\n\r\nvalue/)
  }, ({ request }) => request],
  ['POST of URLSearchParams', async (door) => {
    const { body, type } = await json(ask(door, `${own}/echo`, { method: 'POST', body: new URLSearchParams({ a: 'b' }) }))
    assert.deepEqual([body, type], ['a=b', 'application/x-www-form-urlencoded;charset=UTF-8'])
  }, ({ fetch }) => fetch],
  ['POST of a stream', async (door) => {
    const { body, length } = await json(ask(door, `${own}/echo`, { method: 'POST', body: Readable.from(['a', 'b', 'c'].map((one) => Buffer.from(one))) }))
    assert.deepEqual([body, length], ['abc', undefined])
  }],
  ['4 MiB up', async (door) => {
    const answer = await ask(door, `${own}/count`, { method: 'POST', body: Readable.from(pieces(64, big / 64)) })
    assert.equal(await answer.text(), String(big))
  }],
  ['4 MiB down, read slowly', async (door) => {
    const answer = await ask(door, `${own}/big`)
    let bytes = 0
    for await (const chunk of answer.chunks()) {
      bytes += chunk.length
      await new Promise((resolve) => { setImmediate(resolve) })
    }
    assert.equal(bytes, big)
  }],
  ['a body left in the middle', async (door) => {
    const answer = await ask(door, `${own}/big`)
    assert.ok(await upTo(answer.chunks(), 1000) >= 1000)
  }],
  ['a one-shot body within the limit is retried', async (door) => {
    const answer = await ask(door, fresh(), { method: 'PUT', body: Readable.from([Buffer.from('once '), Buffer.from('again')]) })
    assert.deepEqual([answer.status, await answer.text()], [200, 'once again'])
  }],
  ['a string is retried', async (door) => {
    const answer = await ask(door, fresh(), { method: 'PUT', body: 'text' })
    assert.deepEqual([answer.status, await answer.text()], [200, 'text'])
  }],
  ['a one-shot body beyond the limit is not', async (door, { counts }) => {
    const before = counts.requests
    const answer = await ask(door, fresh(), { method: 'PUT', body: Readable.from(pieces(4, 1024)) })
    assert.deepEqual([answer.status, await answer.text(), counts.requests - before], [503, 'first', 1])
  }],
  ['abort before the head', async (door) => {
    const controller = new AbortController()
    const answer = ask(door, `${own}/hang`, { signal: controller.signal })
    setImmediate(() => controller.abort())
    assert.equal((await rejection(answer)).name, 'AbortError')
  }],
  ['abort with a reason of its own', async (door) => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const answer = ask(door, `${own}/hang`, { signal: controller.signal })
    setImmediate(() => controller.abort(reason))
    assert.equal(await rejection(answer), reason)
  }],
  ['abort before anything', async (door) => {
    assert.equal((await rejection(ask(door, `${own}/hello`, { signal: AbortSignal.abort() }))).name, 'AbortError')
  }],
  ['abort during the body', async (door) => {
    const controller = new AbortController()
    const answer = await ask(door, `${own}/half`, { signal: controller.signal })
    const text = answer.text()
    setImmediate(() => controller.abort())
    assert.equal((await rejection(text)).name, 'AbortError')
  }],
  ['AbortSignal.timeout', async (door) => {
    assert.equal((await rejection(ask(door, `${own}/hang`, { signal: AbortSignal.timeout(20) }))).name, 'TimeoutError')
  }],
  ['302 is followed, or shown', async (door) => {
    const answer = await ask(door, `${own}/302`)
    if (door.follows) assert.equal((await json(answer)).url, '/echo?from=302')
    else assert.deepEqual([answer.status, answer.header('location'), await answer.text()], [302, '/echo?from=302', ''])
  }],
  ['307 with a body', async (door) => {
    const answer = await ask(door, `${own}/307`, { method: 'POST', body: 'kept' })
    if (door.follows) assert.deepEqual((({ url, body }) => [url, body])(await json(answer)), ['/echo?from=307', 'kept'])
    else assert.deepEqual([answer.status, await answer.text()], [307, ''])
  }],
  ['gzip', async (door) => {
    const answer = await ask(door, `${own}/gzip`)
    if (door.decodes) assert.equal(await answer.text(), 'unzipped')
    else assert.deepEqual([answer.header('content-encoding'), (await answer.text()).charCodeAt(0)], ['gzip', 31])
  }],
  ['two set-cookie', async (door) => {
    const answer = await ask(door, `${own}/cookies`)
    assert.deepEqual([answer.cookies(), await answer.text()], [['a=1', 'b=2'], ''])
  }],
  ['103 before 200', async (door) => {
    const answer = await ask(door, `${own}/early`)
    assert.deepEqual([answer.status, await answer.text()], [200, 'after 103'])
  }, ({ confusedBy103 }) => !confusedBy103],
  ['trailers', async (door) => {
    const answer = await ask(door, `${own}/trailers`)
    assert.equal(await answer.text(), 'body')
    if (answer.trailers) assert.equal(answer.trailers['x-sum'], '4')
  }],
  ['204', async (door) => {
    const answer = await ask(door, `${own}/204`)
    assert.deepEqual([answer.status, await answer.text()], [204, ''])
  }],
  ['304', async (door) => {
    const answer = await ask(door, `${own}/304`, { headers: { 'if-none-match': '"a"' } })
    assert.deepEqual([answer.status, answer.header('etag'), await answer.text()], [304, '"a"', ''])
  }],
  ['HEAD', async (door) => {
    const answer = await ask(door, `${own}/hello`, { method: 'HEAD' })
    assert.deepEqual([answer.status, await answer.text()], [200, ''])
  }],
  ['500 is an answer', async (door) => {
    const answer = await ask(door, `${own}/500`)
    assert.deepEqual([answer.status, await answer.text()], [500, 'broken'])
  }],
  ['a Request', async (door) => {
    const { method, body } = await json(ask(door, new door.Request(`${own}/echo`, { method: 'POST', body: 'asked' })))
    assert.deepEqual([method, body], ['POST', 'asked'])
  }, ({ fetch }) => fetch],
  ['no connection', async (door) => {
    const { code, cause } = await meshError(ask(door, 'http://refused.test/'))
    assert.deepEqual([code, cause.code], ['ENMESH_CONNECT_FAILED', 'ECONNREFUSED'])
  }],
  ['a reset before the head', async (door) => {
    assert.equal((await meshError(ask(door, `${own}/reset`, { method: 'POST' }))).code, 'ENMESH_CONNECTION_RESET')
  }],
  ['a reset in the body', async (door) => {
    const answer = await ask(door, `${own}/cut`)
    assert.equal((await meshError(answer.text())).code, 'ENMESH_CONNECTION_RESET')
  }],
  ['the deadline', async (door) => {
    assert.equal((await meshError(ask(door, 'http://brief.test/hang'))).code, 'ENMESH_DEADLINE_EXCEEDED')
  }],
  ['a place that egress denies', async (door) => {
    assert.equal((await meshError(ask(door, 'http://denied.test/'))).code, 'ENMESH_EGRESS_DENIED')
  }],
  ['a host that is no service', async (door, { address }) => {
    const answer = await ask(door, `http://${address}/hello`)
    assert.deepEqual([answer.status, await answer.text()], [200, 'hello'])
  }],
  ['POST to a host that is no service', async (door, { address }) => {
    const { body, length } = await json(ask(door, `http://${address}/echo`, { method: 'POST', body: 'text', headers: { 'Content-Length': '4' } }))
    assert.deepEqual([body, length], ['text', '4'])
  }],
  ['many at once', async (door) => {
    const answers = await Promise.all(Array.from({ length: 50 }, async (_, index) => (await json(ask(door, `${own}/echo?${index}`))).url))
    assert.deepEqual(answers, Array.from({ length: 50 }, (_, index) => `/echo?${index}`))
  }],
  ['WebSocket', (door) => talk(door.WebSocket, 'ws://svc.test/', door.dispatcher && { dispatcher: door.dispatcher }), ({ WebSocket }) => WebSocket],
  ['WebSocket to a host that is no service', (door, { address }) =>
    talk(door.WebSocket, `ws://${address}/`, door.dispatcher && { dispatcher: door.dispatcher }), ({ WebSocket }) => WebSocket],
  ['WebSocket where nobody listens', async (door) => {
    const socket = new door.WebSocket('ws://refused.test/', door.dispatcher && { dispatcher: door.dispatcher })
    await once(socket, 'error')
  }, ({ WebSocket }) => WebSocket],
  ['EventSource', async ({ EventSource, dispatcher }) => {
    const source = new EventSource(`${own}/events`, dispatcher && { dispatcher, node: { dispatcher } })
    const [{ data }] = await once(source, 'message')
    source.close()
    assert.equal(data, 'one')
  }, ({ EventSource }) => EventSource],
  ['stream', async ({ undici, dispatcher }) => {
    const chunks = []
    const sink = () => new Writable({ write: (chunk, _, done) => { chunks.push(chunk); done() } })
    await undici.stream(`${own}/hello`, { method: 'GET', ...(dispatcher && { dispatcher }) }, sink)
    assert.equal(Buffer.concat(chunks).toString(), 'hello')
  }, ({ undici, request }) => undici && request],
  ['pipeline', async ({ undici, dispatcher }) => {
    const piped = undici.pipeline(`${own}/count`, { method: 'POST', ...(dispatcher && { dispatcher }) }, ({ body }) => body)
    piped.end('12345')
    assert.equal(await text(piped), '5')
  }, ({ undici, request }) => undici && request],
  ['upgrade', async ({ undici, dispatcher }) => {
    const { socket, headers } = await undici.upgrade(`${own}/`, { protocol: 'lines', ...(dispatcher && { dispatcher }) })
    assert.equal(headers.upgrade, 'lines')
    await exchangeLines(socket)
  }, ({ undici, fetch }) => undici && fetch !== globalThis.fetch],
  ['CONNECT', async ({ undici, dispatcher }) => {
    const { socket, statusCode, headers } = await undici.connect(own, dispatcher && { dispatcher })
    await exchangeLines(socket)
    assert.deepEqual([statusCode, headers['x-to']], [200, '/'])
  }, ({ undici, fetch }) => undici && fetch !== globalThis.fetch],
  ["CONNECT by the dispatcher's own method", async ({ dispatcher }) => {
    const { socket, statusCode, headers } = await dispatcher.connect({ origin: own, path: 'db.test:5432' })
    await exchangeLines(socket)
    assert.deepEqual([statusCode, headers['x-to']], [200, 'db.test:5432'])
  }, ({ dispatcher, oldOnly }) => dispatcher && !oldOnly],
].map(([name, check, fits = always]) => ({ name, check, fits }))
