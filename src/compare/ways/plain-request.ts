import { readFileSync } from 'node:fs'
import { Agent, request } from 'undici'
import { answerOf, expectOk, servedByHeader, Turns, versionHeader, type OpenWay } from './way.ts'

/** `undici.request` with a keep-alive agent, to one origin or to several by turns. */
export const open: OpenWay = ({ origins, tls }) => {
  const turns = new Turns(origins)
  const dispatcher = new Agent(tls === undefined ? {} : {
    connect: { ca: readFileSync(tls.ca), cert: readFileSync(tls.cert), key: readFileSync(tls.key), servername: tls.servername },
  })
  return {
    async send(path) {
      const { statusCode, body } = await request(`${turns.next()}${path}`, { dispatcher })
      const read = (await body.text()).length
      expectOk(statusCode)
      return read
    },
    async look(path, signal) {
      const { statusCode, headers, body } = await request(`${turns.next()}${path}`, { dispatcher, signal })
      await body.text()
      return answerOf(statusCode, headers[servedByHeader], headers[versionHeader])
    },
    apply: ({ origins }) => turns.replace(origins),
    close: () => dispatcher.destroy(),
  }
}
