import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { createMesh, MeshConfigError, type ConfigFault, type MeshInput } from '../../src/index.ts'
import { fakeRuntime, scriptedUpstream } from '../../src/testing/index.ts'
import { authority, type Authority } from '../support/authority.ts'

const made = authority()
const skip = made === undefined && 'there is no openssl to make certificates with'
const pki = made ?? {} as Authority
const { client, root, directory = '' } = pki

const at = (name: string): string => join(directory, name)
const file = (name: string, content: string): { readonly file: string } => {
  if (made) writeFileSync(at(name), content)
  return { file: at(name) }
}

const config = (...tls: readonly unknown[]): MeshInput => ({
  clusters: Object.fromEntries(tls.map((tls, index) => [index === 0 ? 'order' : `order${index}`,
    { registry: { type: 'static', endpoints: ['10.0.0.1:8080'] }, tls }])),
} as MeshInput)

const meshOf = (...tls: readonly unknown[]) => createMesh(config(...tls), { runtime: fakeRuntime(), transport: scriptedUpstream({}).send })

const faultsOf = (tls: unknown): readonly ConfigFault[] => {
  try {
    meshOf(tls)
  } catch (error) {
    assert.ok(error instanceof MeshConfigError, String(error))
    return error.faults
  }
  return assert.fail('was accepted')
}

const damaged = made ? client.cert.replace(/\n.{20}/, `\n${'A'.repeat(20)}`) : ''
const mistakes: Readonly<Record<string, readonly [tls: unknown, path: string, message: RegExp]>> = {
  'a key without a certificate': [{ key: client?.key }, 'key', /^has no certificate beside it: add `cert`/],
  'a certificate without a key': [{ cert: client?.cert }, 'cert', /^has no key beside it: add `key`/],
  'a passphrase without a key': [{ passphrase: 'x' }, 'passphrase', /^has no key that it could open: add `key`/],
  'HTTP/2': [{ alpn: ['http/1.1', 'h2'] }, 'alpn[1]', /^leave 'h2' out: `http2` of the cluster offers it, and nothing else$/],
  'a protocol without a name': [{ alpn: [''] }, 'alpn[0]', /is not the name of a protocol, such as 'http\/1\.1'/],
  'verify as text': [{ verify: 'no' }, 'verify', /must be a boolean, not a string/],
  'no authority at all': [{ ca: [] }, 'ca', /needs at least one authority; leave it out to trust the machine's own/],
  'a path as text': [{ ca: './root.pem' }, 'ca', /is not PEM text.*for a file write \{ file: 'path\/to\.pem' \}/],
  'a path as text in a list': [{ ca: [root, './root.pem'] }, 'ca[1]', /is not PEM text/],
  'a number as the key': [{ key: 5 }, 'key', /must be a string or an object, not 5/],
  'something beside the file': [{ ca: { file: 'root.pem', encoding: 'der' } }, 'ca.encoding', /unknown key/],
  'a file that is not there': [{ ca: { file: 'nowhere//../root.pem' } }, 'ca', /cannot be read \(ENOENT at 'nowhere\/\/\.\.\/root\.pem'\).*working directory/],
  'a directory as the file': [{ ca: { file: '.' } }, 'ca', /^'\.' is a directory, a pipe or a device: give the path of a regular file$/],
  'a line break in the path': [{ ca: { file: `${at('ca.pem')}\n` } }, 'ca.file', /^is no path: it has a line break, or is PEM itself\..*leave line breaks out/],
  'an empty file': [{ ca: [root, file('empty.pem', ' \n')] }, 'ca[1]', /the file '\/.*\/empty\.pem' is empty: write PEM into it first/],
  'a file without PEM': [{ ca: file('plain.pem', 'hello') }, 'ca', /plain\.pem' has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----/],
  'a key as the authority': [{ ca: client?.key }, 'ca', /^the text has no certificate in PEM/],
  'a damaged certificate': [{ ca: `${root}${damaged}` }, 'ca', /^certificate 2 of 2 in the text is damaged \(\w+\): export it again/],
  'a certificate as the key': [{ cert: client?.cert, key: client?.cert }, 'key', /^the text has no private key in PEM/],
  'a damaged key': [{ cert: client?.cert, key: client?.key.replace(/\n.{20}/, '\nAAAA') }, 'key', /^the key in the text cannot be used \(\w+\): export it again/],
  'a key that is missing as a file': [{ cert: client?.cert, key: { file: at('no.key') } }, 'key', /cannot be read \(ENOENT/],
  'a key of another certificate': [{ ...client, cert: pki.selfSigned?.cert }, 'key', /does not fit the first certificate of `cert` \(CN=self\.test\).*before its intermediates/],
  'an encrypted key without its passphrase': [{ ...client, key: pki.encryptedKey }, 'key', /is encrypted: add `passphrase`/],
  'an encrypted key with a wrong passphrase':
    [{ ...client, key: file('enc.key', pki.encryptedKey), passphrase: 'wrong' }, 'key', /enc\.key' cannot be used \(ERR_\w+\): check that `passphrase` is the one/],
}

describe('a mistake in `tls` is refused with its place and what to do', { skip }, () => {
  for (const [mistake, [tls, path, message]] of Object.entries(mistakes)) {
    test(mistake, () => {
      const faults = faultsOf(tls)
      assert.deepEqual(faults.map(({ path }) => path), [`clusters.order.tls.${path}`])
      assert.match(faults[0]!.message, message)
    })
  }

  for (const [form, written] of Object.entries({
    'as it is': (pem: string) => pem,
    'on one line': (pem: string) => pem.replaceAll('\n', '\\n'),
    'in base64': (pem: string) => Buffer.from(pem).toString('base64'),
  })) {
    test(`PEM ${form} where a path is wanted, of which nothing is repeated`, () => {
      const places: Readonly<Record<string, (from: object) => object>> = {
        'ca.file': (ca) => ({ ca }),
        'ca[1].file': (ca) => ({ ca: [root, ca] }),
        'cert.file': (cert) => ({ cert, key: client.key }),
        'key.file': (key) => ({ cert: client.cert, key }),
      }
      for (const [place, tls] of Object.entries(places)) {
        const pem = written(place === 'key.file' ? client.key : client.cert)
        const [fault, ...others] = faultsOf(tls({ file: pem }))
        assert.equal(fault!.path, `clusters.order.tls.${place}`)
        assert.match(fault!.message, /^is no path: it has a line break, or is PEM itself\. Write PEM text as the option itself, without `file`/)
        assert.doesNotMatch(fault!.message, /BEGIN|LS0t/)
        assert.deepEqual(others, [])
        for (let at = 0; at + 12 <= pem.length; at += 12) assert.ok(!fault!.message.includes(pem.slice(at, at + 12)))
      }
    })
  }

  test('a pipe as the file, without waiting for somebody to write', { skip: process.platform === 'win32' }, () => {
    execFileSync('mkfifo', [at('pipe.pem')])
    assert.match(faultsOf({ ca: { file: at('pipe.pem') } })[0]!.message, /pipe\.pem' is a directory, a pipe or a device: give the path of a regular file$/)
  })

  test('all faults of a cluster are told at once', () => {
    const faults = faultsOf({ ca: [{ file: '/nowhere/1' }, root, { file: '/nowhere/2' }], cert: { file: '/nowhere/3' }, key: { file: '/nowhere/4' } })
    assert.deepEqual(faults.map(({ path }) => path.replace('clusters.order.tls.', '')), ['ca[0]', 'ca[2]', 'cert', 'key'])
  })
})

test('the status shows certificates and where they are from, and no key', { skip }, async () => {
  const ca = file('ca.pem', `Subject: a comment\n${root}`)
  const mesh = meshOf({ ca: [ca, pki.otherRoot], ...client }, { cert: file('own.pem', client.cert), key: file('own.key', client.key) }, true)
  const { clusters } = mesh.status()
  const { tls } = clusters['order']!.config as unknown as { tls: { ca: readonly [{ file: string, sha256: string }, string] } }
  assert.match(tls.ca[0].sha256, /^[0-9a-f]{64}$/)
  assert.deepEqual(tls, {
    ca: [{ ...ca, sha256: tls.ca[0].sha256 }, pki.otherRoot], cert: client.cert, key: '(private key)', enforce: true, verify: true, alpn: ['http/1.1'], warnBefore: 1_209_600_000,
  })
  assert.deepEqual((clusters['order1']!.config.tls as { key: unknown }).key, { file: at('own.key') })
  assert.equal(clusters['order2']!.config.tls, true)
  assert.deepEqual(JSON.parse(JSON.stringify(mesh.status().config)).clusters.order.tls, tls)
  await mesh.close()
})
