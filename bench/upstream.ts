/**
 * The service that every mode calls, in a process of its own. Its argument is its pace.
 * It speaks just enough HTTP for GETs without a body, written by hand: a full server would cost more than the lighter
 * clients do, they would wait for it, and waking up more often would show as CPU of theirs.
 */
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { cases, smallJson, type Pace } from './cases.ts'

const answer = (body: string): Buffer => Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n`
  + `date: ${new Date().toUTCString()}\r\nkeep-alive: timeout=600\r\n\r\n${body}`,
)

/** Whole answers by path, made once: a write of one is all that a request costs. */
const answers = new Map(Object.values(cases).map(({ path, bytes }) =>
  [path, answer(path === cases.base.path ? smallJson : 'x'.repeat(bytes))]))
const unknown = Buffer.from('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n')
const endOfHead = '\r\n\r\n'

const serve = (socket: Socket): void => {
  let unread = ''
  socket.setNoDelay(true)
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => {
    const heads = (unread + chunk).split(endOfHead)
    unread = heads.pop()!
    for (const head of heads) socket.write(answers.get(head.slice('GET '.length, head.indexOf(' ', 'GET '.length))) ?? unknown)
  })
  socket.on('error', () => socket.destroy())
}

const listen = async (): Promise<number> => {
  const server = createServer(serve)
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  return (server.address() as AddressInfo).port
}

const millisecond = 1
const asleep = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))

/** Comes back to the sockets by itself, so that nobody has to wake it. */
const keepPace = (pace: Pace): void => {
  if (pace === 'eager') return
  if (pace === 'paced') Atomics.wait(asleep, 0, 0, millisecond)
  setImmediate(keepPace, pace)
}

// The first is all that a mode without balancing gets; three make two clusters, one of them with a choice.
process.send!(await Promise.all([listen(), listen(), listen()]))
process.once('disconnect', () => process.exit())
keepPace(process.argv[2] as Pace)
