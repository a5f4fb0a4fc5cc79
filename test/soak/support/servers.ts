import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'

/** Addresses of unruly servers, and how to end them. */
export interface Servers {
  readonly addresses: readonly string[]
  /** How many sockets are open to them. */
  openSockets(): Promise<number>
  close(): Promise<void>
}

/** Starts unruly servers in one other process. */
export const unrulyServers = async (count: number): Promise<Servers> => {
  const child = fork(new URL('unruly-server.ts', import.meta.url), [String(count)])
  const exit = once(child, 'exit')
  const ended = exit.then(([code]) => { throw new Error(`the servers ended with ${code} before they listened`) })
  const [ports] = await Promise.race([once(child, 'message'), ended]) as [readonly number[]]
  ended.catch(() => {})
  return {
    addresses: ports.map((port) => `127.0.0.1:${port}`),
    openSockets: async () => {
      const answer = once(child, 'message')
      child.send('sockets')
      return (await answer as [number])[0]
    },
    close: async () => {
      if (child.connected) child.disconnect()
      await exit
    },
  }
}

/** Addresses where nothing listens: they did a moment ago, so no other process has them. */
export const refusingAddresses = (count: number): Promise<string[]> => Promise.all(Array.from({ length: count }, async () => {
  const server = createServer()
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return `127.0.0.1:${port}`
}))
