import type { IncomingMessage, RequestListener } from 'node:http'
import { request as dial } from 'undici'
import { carry, type Passport } from '../../src/core/passport.ts'
import type { Mesh } from '../../src/index.ts'
import { systemRuntime } from '../../src/runtime/runtime.ts'
import { readPassport } from '../../src/tracing/inbound.ts'
import { bodyOf } from '../scenarios/support/upstream.ts'

/** Every field of that name (in lower case) as it stood on the wire, in whatever case it was written. */
export const fieldsOf = ({ rawHeaders }: IncomingMessage, name: string): readonly string[] =>
  rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]!.toLowerCase() === name)

/** The passport of an inbound request, as a server reads it. */
export const passportOf = ({ headers }: IncomingMessage): Passport =>
  readPassport((name) => headers[name]?.toString(), systemRuntime())

/** What a server does around the work for a request. */
export type Around = <T>(request: IncomingMessage, work: () => T) => T

/** Carries the passport, as a service without OpenTelemetry does. */
export const carrying: Around = (request, work) => carry(passportOf(request), work)

/** A service that calls through the mesh each URL of the JSON list it is sent, one after the other. */
export const callsOthers = (mesh: () => Mesh, around: Around = carrying): RequestListener => (request, response) => {
  void around(request, async () => {
    const urls = JSON.parse((await bodyOf(request)).toString()) as readonly string[]
    for (const url of urls) await (await mesh().fetch(url)).text()
    response.end()
  })
}

/** Has such a service call URLs, with header fields exactly as they are given: name, value, name, value. */
export const tell = async (service: string, urls: readonly string[], headers: readonly string[]): Promise<void> => {
  const { body } = await dial(service, { method: 'POST', body: JSON.stringify(urls), headers: [...headers] })
  await body.dump()
}
