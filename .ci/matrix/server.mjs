import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { gzipSync } from 'node:zlib'

/** Bytes of the big bodies. */
export const big = 4 * 1024 * 1024

const websocketAccept = (key) => createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')

/** One short unfragmented frame: its opcode and its payload, unmasked. */
const readFrame = (bytes) => {
  const length = bytes[1] & 127
  const mask = bytes.subarray(2, 6)
  return { opcode: bytes[0] & 15, payload: bytes.subarray(6, 6 + length).map((byte, index) => byte ^ mask[index % 4]) }
}

const frame = (opcode, payload) => Buffer.concat([Buffer.from([128 | opcode, payload.length]), payload])

/** Speaks enough of WebSocket to send each text back, and to close. */
const echoFrames = (socket) => socket.on('data', (bytes) => {
  const { opcode, payload } = readFrame(bytes)
  if (opcode === 1) socket.write(frame(1, Buffer.from(`echo ${payload.toString()}`)))
  else if (opcode === 8) socket.end(frame(8, payload.subarray(0, 2)))
})

const echoLines = (socket) => socket.on('data', (bytes) => socket.write(`echo ${bytes}`))

const answers = {
  '/hello': (_, response) => response.end('hello'),
  '/echo': async (request, response) => {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    const { 'content-length': length, 'content-type': type, 'x-a': a } = request.headers
    response.end(JSON.stringify({ method: request.method, url: request.url, length, type, a, body: Buffer.concat(chunks).toString() }))
  },
  '/count': async (request, response) => {
    let bytes = 0
    for await (const chunk of request) bytes += chunk.length
    response.end(String(bytes))
  },
  '/big': (_, response) => response.end(Buffer.alloc(big, 'x')),
  '/hang': () => {},
  '/half': (_, response) => response.write('half'),
  '/reset': (request) => request.socket.destroy(),
  '/cut': (request, response) => response.write('cut', () => request.socket.destroy()),
  '/gzip': (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('unzipped')),
  '/cookies': (_, response) => response.writeHead(200, { 'set-cookie': ['a=1', 'b=2'] }).end(),
  '/early': (_, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' })
    response.end('after 103')
  },
  '/204': (_, response) => response.writeHead(204).end(),
  '/304': (_, response) => response.writeHead(304, { etag: '"a"' }).end(),
  '/500': (_, response) => response.writeHead(500).end('broken'),
  '/trailers': (_, response) => {
    response.writeHead(200, { trailer: 'x-sum' }).write('body')
    response.addTrailers({ 'x-sum': '4' })
    response.end()
  },
  '/302': (_, response) => response.writeHead(302, { location: '/echo?from=302' }).end(),
  '/307': (request, response) => {
    request.resume().on('end', () => response.writeHead(307, { location: '/echo?from=307' }).end())
  },
  '/events': (_, response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: one\n\n'),
}

/** Answers 503 to the first request under each key, and 200 with the body it got to the others. */
const flaky = () => {
  const seen = new Set()
  return async (request, response) => {
    const key = request.url
    const first = !seen.has(key)
    seen.add(key)
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    if (first) response.writeHead(503).end('first')
    else response.end(Buffer.concat(chunks).toString())
  }
}

/** The server that every case talks to, on a free port. */
export const startServer = async () => {
  const counts = { requests: 0 }
  const sockets = new Set()
  const table = { ...answers, '/flaky': flaky() }
  const server = createServer((request, response) => {
    counts.requests++
    const { pathname } = new URL(request.url, 'http://any')
    void table[pathname](request, response)
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => {})
  })
  server.on('upgrade', (request, socket) => {
    counts.requests++
    const websocket = request.headers.upgrade.toLowerCase() === 'websocket'
    const accept = websocket ? `sec-websocket-accept: ${websocketAccept(request.headers['sec-websocket-key'])}\r\n` : ''
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${request.headers.upgrade}\r\n${accept}\r\n`)
    if (websocket) echoFrames(socket)
    else echoLines(socket)
  })
  server.on('connect', (request, socket) => {
    counts.requests++
    socket.write(`HTTP/1.1 200 OK\r\nx-to: ${request.url}\r\n\r\n`)
    echoLines(socket)
  })
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  return {
    address: `127.0.0.1:${server.address().port}`,
    counts,
    stop: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
