import { z } from 'zod'
import { textOf } from '../config/secret.ts'

const file = z.strictObject({ file: z.string().min(1).describe("Path of a PEM file; a relative one starts at the process's working directory.") })

/** How TLS is spoken to the servers of a registry. Files are read anew for each look, so renewed ones take effect by themselves. */
export const serverTls = z.strictObject({
  ca: file.optional().describe("Authorities to trust in place of the machine's own."),
  cert: file.optional().describe('Certificate to show to servers that ask for one, its intermediates after it.'),
  key: file.optional().describe('Private key of `cert`.'),
  servername: z.string().min(1).optional().describe("Name that the server's certificate must carry; the host of its URL by default."),
}).refine(({ cert, key }) => (cert === undefined) === (key === undefined), { error: '`cert` and `key` belong together: add the other one' })

/** What TLS needs, as PEM text. */
export interface TlsMaterial {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly servername?: string
  readonly rejectUnauthorized?: boolean
}

/** Reads the files that the options name. Throws an `Error` with the path for one that cannot be read, or holds something else. */
export const readServerTls = async (options: z.output<typeof serverTls> | undefined): Promise<TlsMaterial> => {
  const { ca, cert, key, servername } = options ?? {}
  return {
    ...(ca && { ca: await pemOf(ca.file, 'CERTIFICATE') }),
    ...(cert && { cert: await pemOf(cert.file, 'CERTIFICATE') }),
    ...(key && { key: await pemOf(key.file, 'PRIVATE KEY') }),
    ...(servername !== undefined && { servername }),
  }
}

/** The text of a PEM file. What is none Node would leave out in silence, and trust whom it trusts without. */
const pemOf = async (file: string, label: string): Promise<string> => {
  const text = await textOf(file)
  if (!new RegExp(`-----BEGIN (?:[A-Z0-9]+ )*${label}-----`).test(text)) throw new Error(`the file '${file}' has no '-----BEGIN ${label}-----': write it as PEM`)
  return text
}

/** What to do about a failure of TLS, by its code; `undefined` for other failures. */
export const tlsAdvice = (code: string | undefined): string | undefined => {
  if (code === undefined) return undefined
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return "the server's certificate is for another name: ask by that one, or write it as `serverTls.servername`"
  if (code === 'CERT_HAS_EXPIRED') return "the server's certificate has expired: have it renewed"
  if (/SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET_ISSUER)|CERT_UNTRUSTED/.test(code)) return "the server's certificate is from nobody who is trusted: name its authority by `serverTls.ca`, or in the kubeconfig"
  if (/^(?:EPROTO$|ERR_SSL_)/.test(code)) return 'TLS could not be agreed on: check that the port speaks TLS, and whether the server asks for a certificate (`serverTls.cert`)'
  return undefined
}
