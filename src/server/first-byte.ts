import type { Socket } from 'node:net'
import type { Clock } from '../runtime/clock.ts'

/** The first byte of a record of TLS that begins a handshake (RFC 8446, section 5.1). No request of HTTP begins with it. */
export const handshakeByte = 0x16

/** How the first byte of a connection is waited for. */
export interface Peeking {
  readonly clock: Clock
  /** Milliseconds that it may take. */
  readonly limit: number
  /** Hears the byte, which is still there to be read. */
  readonly onByte: (byte: number) => void
  /** Hears that none came in time. */
  readonly onSilence: () => void
}

/** Looks at the first byte of a connection and leaves it there. */
export const peek = (socket: Socket, { clock, limit, onByte, onSilence }: Peeking): void => {
  const ignore = (): void => {}
  const stop = (): void => {
    cancel()
    socket.off('readable', look).off('close', stop).off('error', ignore)
  }
  const look = (): void => {
    const chunk = socket.read() as Buffer | null
    // It may end before it has begun.
    if (chunk === null) {
      if (socket.readableEnded || socket.destroyed) socket.destroy()
      return
    }
    stop()
    socket.unshift(chunk)
    onByte(chunk[0]!)
  }
  const cancel = clock.background(limit, () => {
    stop()
    onSilence()
  })
  socket.on('readable', look).on('close', stop).on('error', ignore).once('end', () => { if (socket.bytesRead === 0) socket.destroy() })
}
