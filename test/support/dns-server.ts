import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv4 } from 'node:net'

/** What the server knows of one name: addresses of both families with one TTL in seconds, or a response code (2 SERVFAIL, 3 NXDOMAIN). */
export interface Zone { addresses?: readonly string[], ttl?: number, code?: number }

const typeA = 1

/** A DNS server on a loopback port that answers A and AAAA; unknown names do not exist. */
export const dnsServer = async (names: Record<string, Zone>) => {
  const socket = createSocket('udp4')
  const questions: string[] = []
  socket.on('message', (message, from) => {
    const { name, type, end } = readQuestion(message)
    questions.push(`${name} ${type === typeA ? 'A' : 'AAAA'}`)
    const { addresses = [], ttl = 60, code = 0 } = names[name] ?? { code: 3 }
    const records = addresses.filter((address) => isIPv4(address) === (type === typeA)).map((address) => record(address, type, ttl))
    const head = Buffer.alloc(12)
    message.copy(head, 0, 0, 2)
    head.writeUInt16BE(0x8180 | code, 2)
    head.writeUInt16BE(1, 4)
    head.writeUInt16BE(records.length, 6)
    socket.send(Buffer.concat([head, message.subarray(12, end), ...records]), from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    address: `127.0.0.1:${socket.address().port}`,
    questions,
    close: async () => {
      socket.close()
      await once(socket, 'close')
    },
  }
}

const readQuestion = (message: Buffer): { name: string, type: number, end: number } => {
  const labels: string[] = []
  let at = 12
  while (message[at]! > 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + message[at]!))
    at += 1 + message[at]!
  }
  return { name: labels.join('.').toLowerCase(), type: message.readUInt16BE(at + 1), end: at + 5 }
}

const record = (address: string, type: number, ttl: number): Buffer => {
  const data = type === typeA ? Buffer.from(address.split('.').map(Number)) : v6Bytes(address)
  const head = Buffer.alloc(12)
  // The name: a pointer to the question's.
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(type, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(ttl, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

const v6Bytes = (address: string): Buffer => {
  const [before = '', after = ''] = address.split('::')
  const groups = (text: string): number[] => text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
  const [left, right] = [groups(before), groups(after)]
  const bytes = Buffer.alloc(16)
  for (const [index, group] of [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right].entries()) bytes.writeUInt16BE(group, index * 2)
  return bytes
}
