/**
 * A service that announces itself in the file that its first argument names, and says by messages what happens. Its second argument is its options.
 * Answers each request with its process id, `/slow` when told to by a message.
 */
import { createServer } from 'node:http'
import { announce } from '../../../src/server/index.ts'

const [path, options] = process.argv.slice(2) as [string, string]
let answerSlow = (): void => {}
const server = createServer((request, response) => {
  if (request.url !== '/slow') return void response.end(String(process.pid))
  answerSlow = () => response.end('slow')
  process.send!('slow')
})
const { holdOpen, listens, ...more } = JSON.parse(options) as { holdOpen?: boolean, listens?: boolean }
const announcement = announce(server, { service: 'pricing', registry: { type: 'file', path }, ...more })
announcement.on('instance-registered', ({ address }) => process.send!(`registered ${address}`))
announcement.on('instance-leaving', ({ signal }) => process.send!(`leaving ${signal}`))
announcement.on('instance-left', ({ deregistered, cut }) => process.send!(`left ${deregistered} ${cut}`))
process.on('message', (message) => {
  if (message === 'answer') answerSlow()
  if (message === 'leave') void announcement.leave()
})
process.channel!.unref()
// As a pool of a database that nobody closes.
if (holdOpen) createServer().listen(0, '127.0.0.1')
if (listens) process.on('SIGTERM', () => { void announcement.left.then(() => process.exit(7)) })
server.listen(0, '127.0.0.1')
