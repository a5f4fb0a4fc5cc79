import type { Duplex } from 'node:stream'
import type { Cancel } from '../../runtime/clock.ts'

/**
 * Joins two connections: what one says the other hears, and with one the other ends. `head` is what came to the client's before they were joined; `later` runs a
 * task when whoever is left has had time enough to read the last words.
 */
export const join = (client: Duplex, head: Buffer, upstream: Duplex, later: (task: () => void) => Cancel): void => {
  if (head.byteLength > 0) upstream.write(head)
  link(client, upstream, later)
  link(upstream, client, later)
}

const link = (from: Duplex, to: Duplex, later: (task: () => void) => Cancel): void => {
  from.pipe(to)
  from.once('error', () => to.destroy())
  from.once('close', () => {
    if (!from.readableEnded) return void to.destroy()
    if (to.destroyed) return
    to.once('close', later(() => to.destroy()))
    to.end(() => to.destroy())
  })
}
