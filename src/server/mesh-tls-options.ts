import { z } from 'zod'
import { duration } from '../config/duration.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { certificateName } from '../transport/tls/certificate-names.ts'
import { authorities, source } from '../transport/tls/certificates.ts'
import { warnBefore } from '../transport/tls/expiry.ts'

const clients = z.strictObject({
  ca: authorities.describe('Authorities whose clients are trusted: PEM text, { file }, or a list of them.'),
  names: z.array(certificateName).min(1, 'needs at least one name; leave it out to let every trusted client in').optional()
    .describe("Names of which a client's certificate must carry one exactly: hosts, or URIs such as SPIFFE IDs."),
  required: z.boolean().default(true).describe('Whether a client without a certificate is refused. One that shows a certificate is refused in any case if it is no good.'),
})

/** The options that are data. */
export const meshTlsConfig = z.strictObject({
  cert: source.describe("The server's certificate, its intermediates after it: PEM text or { file }."),
  key: source.describe('Private key of `cert`: PEM text or { file }.'),
  passphrase: z.string().min(1).optional().describe('Opens an encrypted `key`.'),
  mode: z.enum(['strict', 'permissive', 'plain']).default('strict')
    .describe('`strict` refuses plain text, `permissive` serves TLS and plain text on one port, `plain` refuses TLS: the steps of a roll-out.'),
  clients: z.union([z.literal(false), clients], { error: "must be false, or options such as { ca: { file: 'ca.pem' } }" }).default(false)
    .describe('Whose certificates are asked for and checked (mutual TLS); false asks for none.'),
  minVersion: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2').describe('The oldest version of TLS that is spoken.'),
  ciphers: z.string().min(1).optional().describe("Ciphers to offer, in OpenSSL's words; Node's own by default."),
  handshakeTimeout: duration.default(10_000).refine((ms) => ms > 0, 'must be above 0')
    .describe('How long a connection has for its first byte, and then for its handshake.'),
  warnBefore,
})

/** What `meshTls` takes: data, and what is none. */
export type MeshTlsOptions = z.input<typeof meshTlsConfig> & {
  /** Time and the place to report to; what is left out is the machine's own. */
  readonly runtime?: Partial<Runtime>
}

/** Parsed form of `meshTlsConfig`. */
export type MeshTlsConfig = z.output<typeof meshTlsConfig>
