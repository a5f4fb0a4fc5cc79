import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Certificates } from './ways/way.ts'

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']

/**
 * An authority, and a certificate of it that both sides show, made with the machine's `openssl` (3.0 and later). Throws with what is missing.
 */
export const makeCertificates = (directory: string, servername: string): Certificates & { readonly bundle: string } => {
  const openssl = (...args: readonly string[]): void => {
    try {
      execFileSync('openssl', args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' })
    } catch (error) {
      const { code, stderr } = error as { readonly code?: string, readonly stderr?: string }
      throw new Error(code === 'ENOENT' ? 'there is no openssl to make certificates with (apt-get install openssl)' : `openssl made no certificate: ${stderr ?? ''}`)
    }
  }
  openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=compare')
  openssl('req', '-x509', ...newKey, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-keyout', 'leaf.key', '-out', 'leaf.pem', '-subj', `/CN=${servername}`,
    '-addext', `subjectAltName=DNS:${servername}`, '-addext', 'basicConstraints=critical,CA:FALSE')
  const at = (name: string): string => join(directory, name)
  writeFileSync(at('bundle.pem'), `${readFileSync(at('leaf.pem'), 'utf8')}${readFileSync(at('leaf.key'), 'utf8')}`, { mode: 0o600 })
  return { ca: at('ca.pem'), cert: at('leaf.pem'), key: at('leaf.key'), servername, bundle: at('bundle.pem') }
}
