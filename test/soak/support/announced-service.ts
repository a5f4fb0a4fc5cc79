/**
 * An instance of a service in a process of its own, which announces itself as its argument says and leaves at SIGTERM.
 * Tells by messages where it is, how it left, and the body of each POST that arrives, before that is answered.
 */
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { announce } from '../../../src/server/index.ts'

const server = createServer(async (request, response) => {
  if (request.method === 'POST') process.send!({ arrived: await text(request) })
  setTimeout(() => response.end('ok'), Math.random() * 20)
})
const announcement = announce(server, { service: 'shop-pricing', ...JSON.parse(process.argv[2]!) })
announcement.on('instance-registered', ({ address }) => process.send!({ address }))
announcement.on('instance-left', ({ cut }) => process.send!({ cut }))
process.channel!.unref()
server.listen(0, '127.0.0.1')
