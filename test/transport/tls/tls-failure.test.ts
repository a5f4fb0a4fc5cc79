import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { tlsFailure, type Failed } from '../../../src/transport/tls/tls-failure.ts'
import { tlsOptions, type Handshake } from '../../../src/transport/tls/tls.ts'

const pem = (kind: string): string => `-----BEGIN ${kind}-----`

/** A handshake of a cluster with or without a certificate of its own. */
const handshake = (certified: boolean, fields: Partial<Handshake> = {}): Handshake => ({
  servername: 'svc.test',
  options: tlsOptions.parse(certified ? { cert: pem('CERTIFICATE'), key: pem('PRIVATE KEY') } : {}),
  certificate: undefined,
  own: undefined,
  verifiedUntil: 0,
  asked: false,
  unanswered: false,
  ...fields,
})

const failed = (code: string, fields: Partial<Failed> = {}, message = 'it broke'): Failed =>
  ({ code, cause: new Error(message), handshake: handshake(false), fresh: true, now: 0, ...fields })

/** As OpenSSL writes it, with its build's paths. */
const alert = (number: number, words: string, certified = false): Failed => ({
  ...failed('ERR_SSL_ANY', { handshake: handshake(certified) }),
  cause: Object.assign(new Error(`407D:error:0A000418:SSL routines:read:${words}:../deps/rec.c:918:SSL alert number ${number}\n`), { reason: words }),
})

describe('an alert of the endpoint is told by its number', () => {
  const cases: readonly (readonly [Failed, RegExp, RegExp])[] = [
    ...[42, 43, 44, 45, 46, 48, 49, 51].map((number) =>
      [alert(number, 'words', true), /^the endpoint asks for a client certificate, was shown `tls\.cert`.*alert \d+, words\)$/, /^Have the endpoint trust/] as const),
    [alert(116, 'certificate required'), /the cluster has none, and it refused the handshake \(alert 116, certificate required\)$/, /^Set `tls\.cert` and `tls\.key`/],
    [alert(40, 'handshake failure', true), /may not accept `tls\.cert`.*or share no cipher/, /have the endpoint trust the issuer/],
    [alert(70, 'protocol version'), /alert 70, protocol version/, /TLS 1\.2 or 1\.3/],
    [alert(112, 'unrecognized name'), /does not know 'svc\.test'/, /`tls\.servername`/],
    [alert(120, 'no application protocol'), /none of the protocols offered, http\/1\.1/, /If it speaks HTTP\/2 only, set `http2: true` for the cluster; .*`tls\.alpn`/],
    [alert(80, 'internal error'), /^internal error$/, /`tls\.ca` and `tls\.servername`/],
  ]
  for (const [input, found, todo] of cases) {
    test(/number \d+/.exec(input.cause.message)![0], () => {
      const failure = tlsFailure(input)!
      assert.match(failure.found, found)
      assert.match(failure.todo, todo)
    })
  }
})

describe('a connection that breaks without a word', () => {
  const asked = (fields: Partial<Failed> = {}, unanswered = true): Failed =>
    failed('ECONNRESET', { handshake: handshake(true, { unanswered }), ...fields })

  test('is a matter of the client certificate when that was asked for and never answered', () => {
    for (const code of ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']) assert.match(tlsFailure({ ...asked(), code })!.found, /closed the connection before it answered$/)
  })

  test('is a reset like any other when the endpoint was content with the handshake, or has answered before, or TLS is not spoken', () => {
    for (const input of [asked({}, false), asked({ fresh: false }), asked({ handshake: undefined })]) assert.equal(tlsFailure(input), undefined)
  })

  test('is no failure of TLS when it is something else', () => {
    assert.equal(tlsFailure(asked({ code: 'UND_ERR_HEADERS_TIMEOUT' })), undefined)
  })
})

test('what a stranger wrote into a certificate stays on one line and within bounds', () => {
  const cause = Object.assign(new Error('no'), { cert: { subjectaltname: `DNS:a\nERROR forged\u2028, ${'DNS:b.test, '.repeat(1_000)}` } })
  const { found } = tlsFailure({ ...failed('ERR_TLS_CERT_ALTNAME_INVALID'), cause })!
  assert.match(found, /is for DNS:a ERROR forged/)
  assert.doesNotMatch(found, /[\n\u2028]/)
  assert.ok(found.length < 400)
})

test('without the certificate at hand it still says what is wrong', () => {
  for (const code of ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'ERR_TLS_CERT_ALTNAME_INVALID', 'CERT_REVOKED']) {
    const { found, todo } = tlsFailure(failed(code))!
    assert.doesNotMatch(`${found} ${todo}`, /undefined|NaN|\[object/)
  }
})
