/**
 * The services of the cases without faults: three instances in one process, that cost as little as can be. They speak just enough HTTP for GETs
 * without a body; a full server would cost more than the lighter clients do, and they would wait for it. Its arguments are, with TLS, the files
 * of authority, certificate and key.
 */
import { readFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { answerParent } from './worker.ts'

/** Paths are `/of/<bytes>`; anything else gets the smallest. */
const pathPattern = /^GET \/of\/(\d{1,8}) /

const answers = new Map<number, Buffer>()

const answerOf = (bytes: number): Buffer => {
  let answer = answers.get(bytes)
  if (!answer) {
    const body = bytes < 20 ? 'x'.repeat(bytes) : `{"text":"${'x'.repeat(bytes - 11)}"}`
    answer = Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${bytes}\r\nkeep-alive: timeout=600\r\n\r\n${body}`)
    answers.set(bytes, answer)
  }
  return answer
}

const serve = (socket: Socket): void => {
  let unread = ''
  socket.setNoDelay(true)
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => {
    const heads = (unread + chunk).split('\r\n\r\n')
    unread = heads.pop()!
    for (const head of heads) socket.write(answerOf(Number(pathPattern.exec(head)?.[1] ?? 0)))
  })
  socket.on('error', () => socket.destroy())
}

const [ca, cert, key] = process.argv.slice(2).map((file) => readFileSync(file))

const listener = (): Server => ca === undefined ? createServer(serve)
  : createTlsServer({ ca, cert: cert!, key: key!, requestCert: true, rejectUnauthorized: true }, serve)

const listen = async (): Promise<number> => {
  const server = listener()
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  return (server.address() as AddressInfo).port
}

const ports = await Promise.all([listen(), listen(), listen()])

const handlers = { ports: (): readonly number[] => ports } as const

/** What the services are asked for. */
export type UpstreamHandlers = typeof handlers

answerParent(handlers)
