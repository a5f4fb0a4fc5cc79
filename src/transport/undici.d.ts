// The inner modules have no types of their own; the public names do.
declare module 'undici/lib/dispatcher/pool.js' {
  import { Pool } from 'undici'
  export default Pool
}
declare module 'undici/lib/dispatcher/client.js' {
  import { Client } from 'undici'
  export default Client
}
declare module 'undici/lib/dispatcher/agent.js' {
  import { Agent } from 'undici'
  export default Agent
}
declare module 'undici/lib/dispatcher/dispatcher.js' {
  import { Dispatcher } from 'undici'
  export default Dispatcher
}
declare module 'undici/lib/dispatcher/dispatcher1-wrapper.js' {
  import type { Dispatcher } from 'undici'
  export default class Dispatcher1Wrapper {
    static wrapHandler(handler: object): Dispatcher.DispatchHandler
  }
}
declare module 'undici/lib/core/connect.js' {
  import { buildConnector } from 'undici'
  export default buildConnector
}
declare module 'undici/lib/core/util.js' {
  import type { Socket } from 'node:net'
  const util: {
    /** Destroys the socket with a ConnectTimeoutError in so many milliseconds (0 is never); the result calls it off. */
    setupConnectTimeout(socket: WeakRef<Socket>, options: { timeout: number, hostname: string, port: string }): () => void
  }
  export default util
}
declare module 'undici/lib/api/index.js' {
  import type { Dispatcher } from 'undici'
  const api: Pick<Dispatcher, 'request' | 'stream' | 'pipeline' | 'upgrade' | 'connect'>
  export default api
}
declare module 'undici/lib/web/fetch/formdata.js' {
  const module: { readonly FormData: typeof globalThis.FormData }
  export = module
}
declare module 'undici/lib/web/fetch/body.js' {
  const module: {
    readonly extractBody: (body: FormData) => [{ readonly stream: ReadableStream<Uint8Array>, readonly length: number | null }, string | null]
  }
  export = module
}
declare module 'undici/lib/core/errors.js' {
  import { errors } from 'undici'
  export default errors
}
