import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

// Below the ports that systems give to those who ask for any, so that nobody takes it while its server is down.
const lowest = 15_000
const highest = 30_000

/** Those that this process gave out already: until its server listens, a port looks free. */
const given = new Set<number>()

const isFree = async (port: number): Promise<boolean> => {
  const streams = createServer()
  const datagrams = createSocket('udp4')
  try {
    streams.listen(port, '127.0.0.1')
    await once(streams, 'listening')
    datagrams.bind(port, '127.0.0.1')
    await once(datagrams, 'listening')
    return true
  } catch {
    return false
  } finally {
    streams.close()
    datagrams.close()
  }
}

/** A loopback port that is free for TCP and UDP, and stays so while a server that is to have it again is down. */
export const portToKeep = async (): Promise<number> => {
  for (;;) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest))
    if (given.has(port)) continue
    given.add(port)
    if (await isFree(port)) return port
  }
}
