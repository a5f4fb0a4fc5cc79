import type { Duplex } from 'node:stream'

/** Joins two connections: what one says the other hears, and with one the other ends. `head` is what came to the first before they were joined. */
export const join = (client: Duplex, head: Buffer, upstream: Duplex): void => {
  if (head.byteLength > 0) upstream.write(head)
  link(client, upstream)
  link(upstream, client)
}

const link = (from: Duplex, to: Duplex): void => {
  from.pipe(to)
  from.once('error', () => to.destroy())
  from.once('close', () => {
    // What it said last is still on its way to the other.
    if (from.readableEnded) to.end(() => to.destroy())
    else to.destroy()
  })
}
