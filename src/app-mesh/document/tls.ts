import { z } from 'zod'
import { filePath, port, text, union, word } from './scalars.ts'

const arn = z.string().min(1)

const sds = z.strictObject({ secretName: z.string().min(1).describe('The secret, as the local discovery service calls it.') })

const certificateFiles = z.strictObject({
  certificateChain: filePath.describe('PEM file of the certificate and its intermediates.'),
  privateKey: filePath.describe('PEM file of its private key.'),
})

const trustFile = z.strictObject({ certificateChain: filePath.describe('PEM file of the authorities.') })

const subjectAlternativeNames = z.strictObject({
  match: z.strictObject({ exact: z.array(text(1, 254)).describe('The names of which the certificate must carry one.') })
    .describe('How names are compared.'),
}).describe('The names that are accepted: host names, or URIs such as SPIFFE IDs.')

const acmTrust = z.strictObject({
  certificateAuthorityArns: z.array(arn).min(1).max(3).describe('The private authorities, by ARN.'),
})

/** How a node speaks TLS as a client. */
export const clientTls = z.strictObject({
  enforce: z.boolean().optional().describe('Whether TLS is demanded; it is by default.'),
  ports: z.array(port).optional().describe('The ports that the policy holds for; all by default.'),
  certificate: union({ file: certificateFiles, sds }).optional().describe('What is shown to servers that ask for a certificate.'),
  validation: z.strictObject({
    trust: union({ acm: acmTrust, file: trustFile, sds }).describe('The authorities whose certificates are accepted.'),
    subjectAlternativeNames: subjectAlternativeNames.optional(),
  }).describe('Which servers are accepted.'),
})

/** What a node demands of those whom it calls. */
export const clientPolicy = z.strictObject({ tls: clientTls.optional().describe('TLS as a client; by default as the server wants it.') })

/** What a node demands of those whom it calls. */
export type ClientPolicy = z.output<typeof clientPolicy>

/** What holds for every backend that says nothing of its own. */
export const backendDefaults = z.strictObject({ clientPolicy: clientPolicy.optional().describe('The policy of such backends.') })

/** How a listener speaks TLS. */
export const listenerTls = z.strictObject({
  mode: word(['STRICT', 'PERMISSIVE', 'DISABLED']).describe('Whether TLS is demanded, taken as well as plain text, or not spoken.'),
  certificate: union({
    acm: z.strictObject({ certificateArn: arn.describe('The certificate, by ARN.') }),
    file: certificateFiles,
    sds,
  }).describe('What the listener shows.'),
  validation: z.strictObject({
    trust: union({ file: trustFile, sds }).describe('The authorities whose client certificates are accepted.'),
    subjectAlternativeNames: subjectAlternativeNames.optional(),
  }).optional().describe('Demands certificates of clients (mutual TLS).'),
})
