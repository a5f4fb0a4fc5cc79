import { createHash, createHmac } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

/** What the Authorization header of a signed request says. */
export interface Signature {
  readonly key: string
  /** `date/region/service/aws4_request`. */
  readonly scope: string
  readonly headers: string
  readonly signature: string
}

const written = /^AWS4-HMAC-SHA256 Credential=(?<key>[^/,]+)\/(?<scope>[^,]+), SignedHeaders=(?<headers>[^,]+), Signature=(?<signature>[0-9a-f]{64})$/

/** Reads the header; `undefined` where it is no signature. */
export const readSignature = (authorization = ''): Signature | undefined => written.exec(authorization)?.groups as Signature | undefined

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

/** Whether a POST to `/` is signed with this secret: Signature Version 4, as AWS describes it. */
export const fits = ({ scope, headers: signed, signature }: Signature, secret: string, headers: IncomingHttpHeaders, body: string): boolean => {
  const lines = signed.split(';').map((name) => `${name}:${[headers[name]].flat().join(',').trim()}\n`).join('')
  const request = `POST\n/\n\n${lines}\n${signed}\n${sha256(body)}`
  const toSign = `AWS4-HMAC-SHA256\n${String(headers['x-amz-date'])}\n${scope}\n${sha256(request)}`
  const key = scope.split('/').reduce<string | Buffer>((derived, part) => hmac(derived, part), `AWS4${secret}`)
  return hmac(key, toSign).toString('hex') === signature
}
