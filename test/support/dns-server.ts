import { createSocket, type Socket as Datagrams } from 'node:dgram'
import { once } from 'node:events'
import { createServer, isIPv4, type Server, type Socket } from 'node:net'

/** How a server treats questions for a name: it keeps silent, cuts every answer by UDP, answers under another id, or with bytes that mean nothing. */
export type Lie = 'silent' | 'truncated' | 'wrong id' | 'garbage'

/** A record that says where a service is. */
export interface Service { readonly priority: number, readonly weight: number, readonly port: number, readonly target: string }

/**
 * What the server knows of one name: addresses of both families and services, with one TTL in seconds; or a response code
 * (2 SERVFAIL, 3 NXDOMAIN), for one family alone if `codes` says so.
 */
export interface Zone {
  addresses?: readonly string[]
  services?: readonly Service[]
  ttl?: number
  code?: number
  codes?: Partial<Record<Sort, number>>
  lie?: Lie
}

export type Sort = 'A' | 'AAAA' | 'SRV'

const types: Readonly<Record<number, Sort>> = { 1: 'A', 28: 'AAAA', 33: 'SRV' }
const longestDatagram = 512

/** A DNS server on a loopback port, UDP and TCP, that answers A, AAAA and SRV; unknown names do not exist. `questions` tells what it was asked. */
export const dnsServer = async (names: Record<string, Zone>) => {
  const questions: string[] = []

  const answer = (message: Buffer, way: 'udp' | 'tcp'): Buffer | undefined => {
    const { name, type, end } = readQuestion(message)
    questions.push(`${name} ${type}${way === 'tcp' ? ' by TCP' : ''}`)
    const { addresses = [], services = [], ttl = 60, code = 0, codes = {}, lie } = names[name] ?? { code: 3 }
    if (lie === 'silent') return undefined
    if (lie === 'garbage') return Buffer.concat([message.subarray(0, 2), Buffer.from('\x81\x80\xff\xff\xff\xffwhatever')])
    const records = type === 'SRV' ? services.map((service) => record(type, ttl, serviceBytes(service)))
      : addresses.filter((address) => isIPv4(address) === (type === 'A')).map((address) => record(type, ttl, addressBytes(address)))
    const whole = Buffer.concat([head(message, codes[type] ?? code, records.length), message.subarray(12, end), ...records])
    if (lie === 'wrong id') whole.writeUInt16BE(message.readUInt16BE(0) ^ 1, 0)
    if (way === 'tcp' || (whole.length <= longestDatagram && lie !== 'truncated')) return whole
    const cut = Buffer.concat([head(message, 0, 0), message.subarray(12, end)])
    cut.writeUInt16BE(cut.readUInt16BE(2) | 0x0200, 2)
    return cut
  }

  const connections = new Set<Socket>()
  const streams = createServer((socket) => {
    connections.add(socket)
    socket.on('error', () => {}).on('close', () => connections.delete(socket))
    let kept = Buffer.alloc(0)
    socket.on('data', (data) => {
      kept = Buffer.concat([kept, data])
      while (kept.length >= 2 && kept.length >= 2 + kept.readUInt16BE(0)) {
        const length = kept.readUInt16BE(0)
        const reply = answer(kept.subarray(2, 2 + length), 'tcp')
        kept = kept.subarray(2 + length)
        if (!reply) continue
        const size = Buffer.alloc(2)
        size.writeUInt16BE(reply.length)
        socket.write(Buffer.concat([size, reply]))
      }
    })
  })
  const datagrams = await onOnePort(streams)
  datagrams.on('message', (message, from) => {
    const reply = answer(message, 'udp')
    if (reply) datagrams.send(reply, from.port, from.address)
  })
  return {
    address: `127.0.0.1:${datagrams.address().port}`,
    questions,
    close: async () => {
      for (const socket of connections) socket.destroy()
      datagrams.close()
      streams.close()
      await Promise.all([once(datagrams, 'close'), once(streams, 'close')])
    },
  }
}

/** Lets a server listen for TCP, and a socket for UDP on the same port. */
const onOnePort = async (streams: Server): Promise<Datagrams> => {
  for (;;) {
    const datagrams = createSocket('udp4')
    datagrams.bind(0, '127.0.0.1')
    await once(datagrams, 'listening')
    streams.listen(datagrams.address().port, '127.0.0.1')
    try {
      await once(streams, 'listening')
      return datagrams
    } catch {
      // Taken for TCP.
      datagrams.close()
    }
  }
}

const readQuestion = (message: Buffer): { readonly name: string, readonly type: Sort, readonly end: number } => {
  const labels: string[] = []
  let at = 12
  while (message[at]! > 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + message[at]!))
    at += 1 + message[at]!
  }
  return { name: labels.join('.').toLowerCase(), type: types[message.readUInt16BE(at + 1)]!, end: at + 5 }
}

const head = (question: Buffer, code: number, answers: number): Buffer => {
  const bytes = Buffer.alloc(12)
  question.copy(bytes, 0, 0, 2)
  bytes.writeUInt16BE(0x8180 | code, 2)
  bytes.writeUInt16BE(1, 4)
  bytes.writeUInt16BE(answers, 6)
  return bytes
}

const record = (sort: Sort, ttl: number, data: Buffer): Buffer => {
  const bytes = Buffer.alloc(12)
  // The name: a pointer to the question's.
  bytes.writeUInt16BE(0xc00c, 0)
  bytes.writeUInt16BE(Number(Object.keys(types).find((type) => types[Number(type)] === sort)), 2)
  bytes.writeUInt16BE(1, 4)
  bytes.writeUInt32BE(ttl, 6)
  bytes.writeUInt16BE(data.length, 10)
  return Buffer.concat([bytes, data])
}

const nameBytes = (name: string): Buffer =>
  Buffer.concat([...name.split('.').filter((label) => label !== '').map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1')), Buffer.alloc(1)])

const serviceBytes = ({ priority, weight, port, target }: Service): Buffer => {
  const bytes = Buffer.alloc(6)
  for (const [index, number] of [priority, weight, port].entries()) bytes.writeUInt16BE(number, index * 2)
  return Buffer.concat([bytes, nameBytes(target)])
}

const addressBytes = (address: string): Buffer => isIPv4(address) ? Buffer.from(address.split('.').map(Number)) : v6Bytes(address)

const v6Bytes = (address: string): Buffer => {
  const [before = '', after = ''] = address.split('::')
  const groups = (text: string): number[] => text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
  const [left, right] = [groups(before), groups(after)]
  const bytes = Buffer.alloc(16)
  for (const [index, group] of [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right].entries()) bytes.writeUInt16BE(group, index * 2)
  return bytes
}
