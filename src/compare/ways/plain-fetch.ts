import { readFileSync } from 'node:fs'
import { answerOf, expectOk, servedByHeader, Turns, versionHeader, type Certificates, type OpenWay } from './way.ts'

/** What carries client certificates; the platform's `fetch` alone has no word for them. Loads undici, which changes what is under `fetch`: for this only. */
const dispatcherFor = async ({ ca, cert, key, servername }: Certificates): Promise<{ readonly init: RequestInit, close(): Promise<void> }> => {
  const { Agent, Dispatcher1Wrapper } = await import('undici')
  const agent = new Agent({ connect: { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key), servername } })
  return { init: { dispatcher: new Dispatcher1Wrapper(agent) } as unknown as RequestInit, close: () => agent.destroy() }
}

/** The platform's `fetch`, to one origin or to several by turns. */
export const open: OpenWay = async ({ origins, tls }) => {
  const turns = new Turns(origins)
  const over = tls && await dispatcherFor(tls)
  return {
    async send(path) {
      const response = await fetch(`${turns.next()}${path}`, over?.init)
      expectOk(response.status)
      return (await response.text()).length
    },
    async look(path, signal) {
      const response = await fetch(`${turns.next()}${path}`, { ...over?.init, signal })
      await response.text()
      return answerOf(response.status, response.headers.get(servedByHeader), response.headers.get(versionHeader))
    },
    apply: ({ origins }) => turns.replace(origins),
    close: async () => { await over?.close() },
  }
}
