/**
 * The service behind all ways, in a process of its own. Sends its port to its parent, which sends it the pace to keep.
 * As in `upstream.ts` it speaks just enough HTTP, whole answers made beforehand; it takes bodies whose length is told.
 */
import { createServer, type AddressInfo, type Socket } from 'node:net'
import type { Pace } from '../cases.ts'
import { keepPace } from './pace.ts'
import { gatewayCases } from './cases.ts'

const answers = new Map<string, Buffer>(Object.values(gatewayCases).map(({ path, bytes }) => [path, Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${bytes}\r\ndate: ${new Date().toUTCString()}\r\n\r\n${'x'.repeat(bytes)}`,
)]))
const unknown = Buffer.from('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n')

const serve = (socket: Socket): void => {
  let unread = ''
  socket.setNoDelay(true).setEncoding('latin1').on('error', () => socket.destroy())
  socket.on('data', (text: string) => {
    unread += text
    for (let end = unread.indexOf('\r\n\r\n'); end >= 0; end = unread.indexOf('\r\n\r\n')) {
      const head = unread.slice(0, end)
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0)
      if (unread.length < end + 4 + length) return
      unread = unread.slice(end + 4 + length)
      socket.write(answers.get(head.split(' ', 2)[1]!) ?? unknown)
    }
  })
}

const server = createServer(serve)
const pace = keepPace()
server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port))
process.on('message', (wanted) => {
  pace.is(wanted as Pace)
  process.send!('kept')
})
process.once('disconnect', () => process.exit())
