import { connect } from 'node:net'
import type { Endpoint } from '../core/endpoint.ts'
import type { Connecting, Line } from './connections.ts'
import { dialTls, type Sessions } from './tls/tls.ts'

/** Milliseconds of silence after which the system asks whether the other side is still there. */
const keepAliveInitialDelay = 60_000

/** Begins a connection to an endpoint: with TLS where its certificate is to be checked for a name, going on with an earlier session where there is one. */
export const dial = ({ tls, context }: Pick<Connecting, 'tls' | 'context'>, endpoint: Endpoint, servername: string | undefined, sessions?: Sessions): Line => {
  const url = new URL(`http://${endpoint.address}`)
  const host = endpoint.ip ?? url.hostname.replace(/^\[(.*)\]$/, '$1')
  // A URL leaves its scheme's own port out.
  const port = Number(url.port) || 80
  if (servername === undefined) {
    return { socket: connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay }), handshake: undefined }
  }
  const { socket, handshake } = dialTls({ config: tls, context, servername }, { host, port, session: sessions?.latest })
  socket.setKeepAlive(true, keepAliveInitialDelay).setNoDelay(true)
  if (sessions) {
    socket.on('session', (latest: Buffer) => { sessions.latest = latest })
    // It may be the session that the endpoint does not like.
    socket.on('error', () => { if (!socket.authorized) sessions.latest = undefined })
  }
  return { socket, handshake }
}
