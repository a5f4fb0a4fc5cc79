/*
 * What somebody sends who wants more to reach a service than should. Behind each row goes another request that asks to close: either the gateway has ended the
 * connection before it, or it is answered as the request that it is, and never as the body of another or another's answer.
 */

/** What follows each row. */
export const end = 'GET /public/end HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n'

/** One attempt, over a connection of its own. */
export interface Row {
  readonly name: string
  readonly raw: string
  /** Statuses of all answers on the connection. */
  readonly statuses: readonly number[]
  /** What the service gets before the last request: method, target and body. */
  readonly seen?: readonly string[]
}

const refused = (name: string, raw: string, status = 400): Row => ({ name, raw, statuses: [status] })

const passed = (name: string, raw: string, ...seen: readonly string[]): Row =>
  ({ name, raw, statuses: [...seen.map(() => 200), 200], seen: [...seen, 'GET /public/end'] })

/** After the answer the connection ends. */
const last = (name: string, raw: string, seen: string): Row => ({ name, raw, statuses: [200], seen: [seen] })

/** An answer of the gateway after which the connection goes on. */
const unrouted = (name: string, raw: string): Row => ({ name, raw, statuses: [404, 200], seen: ['GET /public/end'] })

const get = (target: string, fields = '', host = 'shop.test'): string => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`
const post = (fields: string, body = ''): string => `POST /public/x HTTP/1.1\r\nHost: shop.test\r\n${fields}\r\n${body}`
const smuggled = get('/admin/all', 'x-staff: yes\r\n')
const keyed = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
const chunked = 'Transfer-Encoding: chunked\r\n'

const lengths: readonly Row[] = [
  refused('two lengths', post('Content-Length: 5\r\nContent-Length: 6\r\n', 'hello')),
  refused('one length twice', post('Content-Length: 5\r\nContent-Length: 5\r\n', 'hello')),
  refused('a list of lengths', post('Content-Length: 5, 5\r\n', 'hello')),
  refused('a length with a sign', post('Content-Length: +5\r\n', 'hello')),
  refused('a length below zero', post('Content-Length: -1\r\n')),
  refused('a hexadecimal length', post('Content-Length: 0x5\r\n', 'hello')),
  refused('a length with a space in it', post('Content-Length: 5 5\r\n', 'hello')),
  refused('an empty length', post('Content-Length: \r\n')),
  refused('a length that no number holds', post('Content-Length: 99999999999999999999\r\n')),
  refused('a length above the limit', post('Content-Length: 200000\r\n'), 413),
  refused('a length, then a coding', post(`Content-Length: 6\r\n${chunked}`, `0\r\n\r\n${smuggled}`)),
  refused('a coding, then a length', post(`${chunked}Content-Length: 6\r\n`, `0\r\n\r\n${smuggled}`)),
  passed('a body that looks like a request', post(`Content-Length: ${smuggled.length}\r\n`, smuggled), `POST /public/x ${smuggled}`),
  passed('a GET with a body', get('/public/x', `Content-Length: ${smuggled.length}\r\n`) + smuggled, `GET /public/x ${smuggled}`),
  passed('a length under another spelling', post('Content_Length: 300\r\nContent-Length: 2\r\n', 'hi'), 'POST /public/x hi'),
]

const codings: readonly Row[] = [
  refused('chunked twice in a list', post('Transfer-Encoding: chunked, chunked\r\n', '0\r\n\r\n')),
  refused('identity', post('Transfer-Encoding: identity\r\n', 'hello'), 501),
  refused('another coding before chunked', post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'), 501),
  refused('chunked before another coding', post('Transfer-Encoding: chunked, gzip\r\n', '0\r\n\r\n')),
  refused('almost chunked', post('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'), 501),
  refused('chunked with a parameter', post('Transfer-Encoding: chunked;q=1\r\n', '0\r\n\r\n'), 501),
  refused('chunked behind a vertical tab', post('Transfer-Encoding: \x0bchunked\r\n', '0\r\n\r\n')),
  refused('chunked in quotes', post('Transfer-Encoding: "chunked"\r\n', '0\r\n\r\n'), 501),
  refused('two fields of codings', post(`${chunked}Transfer-Encoding: identity\r\n`, '0\r\n\r\n')),
  refused('chunked in two fields', post(`${chunked}${chunked}`, '0\r\n\r\n')),
  refused('a space before the colon', post('Transfer-Encoding : chunked\r\n', '0\r\n\r\n')),
  refused('a tab before the colon', post('Transfer-Encoding\t: chunked\r\n', '0\r\n\r\n')),
  refused('a coding with HTTP/1.0', `POST /public/x HTTP/1.0\r\nHost: shop.test\r\n${chunked}\r\n0\r\n\r\n`),
  refused('a coding that is folded', post('Transfer-Encoding:\r\n chunked\r\n', '0\r\n\r\n')),
  passed('chunked in capitals', post('Transfer-Encoding: CHUNKED\r\n', '2\r\nhi\r\n0\r\n\r\n'), 'POST /public/x hi'),
  passed('a coding under another spelling', post('Transfer_Encoding: chunked\r\nContent-Length: 5\r\n', '0\r\n\r\n'), 'POST /public/x 0\r\n\r\n'),
]

const broken = (name: string, body: string): Row => refused(`chunks: ${name}`, post(chunked, body))

const chunks: readonly Row[] = [
  broken('a size that is no number', 'g\r\nhello\r\n0\r\n\r\n'),
  broken('a size below zero', '-5\r\nhello\r\n0\r\n\r\n'),
  broken('a size with 0x', '0x5\r\nhello\r\n0\r\n\r\n'),
  broken('a size that no number holds', 'fffffffffffffffff\r\nhello\r\n0\r\n\r\n'),
  broken('an empty size', '\r\nhello\r\n0\r\n\r\n'),
  broken('a bare LF behind the size', '5\nhello\r\n0\r\n\r\n'),
  broken('a bare CR behind the size', '5\rhello\r\n0\r\n\r\n'),
  broken('more bytes than the size', '5\r\nhello there\r\n0\r\n\r\n'),
  broken('a bare LF in an extension', `2;a=b\nhi\r\n0\r\n\r\n${smuggled}`),
  broken('a length in the trailers', '2\r\nhi\r\n0\r\nContent-Length: 99\r\n\r\n'),
  broken('a bare LF at the end', `2\r\nhi\r\n0\n\n${smuggled}`),
  refused('chunks: extensions without end', post(chunked, `2;${'a'.repeat(20_000)}\r\nhi\r\n0\r\n\r\n`), 413),
  passed('chunks with extensions', post(chunked, '2;a=b;c="d"\r\nhi\r\n0;e\r\n\r\n'), 'POST /public/x hi'),
  passed('trailers that forge', post(chunked, '2\r\nhi\r\n0\r\nHost: admin.test\r\nx-staff: yes\r\n\r\n'), 'POST /public/x hi'),
]

const targets: readonly Row[] = [
  passed('an absolute target', get('http://shop.test/public/x?y'), 'GET /public/x?y'),
  refused('an absolute target of another host', get('http://admin.test/public/x')),
  refused('an absolute target with credentials', get('http://admin.test@shop.test/public/x')),
  refused('an absolute target of another scheme', get('file:///public/x')),
  refused('an absolute target with another port', get('http://shop.test:81/public/x')),
  refused('an authority for a target', get('shop.test:80')),
  refused('a target without a slash', get('public/x')),
  refused('CONNECT', 'CONNECT admin.test:80 HTTP/1.1\r\nHost: admin.test\r\n\r\n', 501),
  refused('TRACE', 'TRACE /public/x HTTP/1.1\r\nHost: shop.test\r\n\r\n', 501),
  refused('OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: shop.test\r\n\r\n'),
  passed('two slashes in front', get('//public/x'), 'GET /public/x'),
  passed('slashes in between', get('/public///x'), 'GET /public/x'),
  passed('a dot', get('/./public/./x'), 'GET /public/x'),
  unrouted('two dots', get('/public/../admin/x')),
  unrouted('two dots that are escaped', get('/public/%2e%2E/admin/x')),
  unrouted('two dots behind two slashes', get('/public//../../admin/x')),
  unrouted('backslashes', get('/public\\..\\admin\\x')),
  unrouted('letters that are escaped', get('/%61dmin/x')),
  passed('letters that are escaped on the way to a route', get('/%70ublic/%78'), 'GET /public/x'),
  passed('dots that are escaped twice', get('/public/%252e%252e/admin'), 'GET /public/%252e%252e/admin'),
  refused('an escaped slash', get('/public/..%2fadmin')),
  refused('an escaped backslash', get('/public/..%5Cadmin')),
  refused('an escaped null', get('/public/x%00.png')),
  refused('an escaped line break', get('/public/x%0d%0ax-staff:yes')),
  refused('an escape that is none', get('/public/%zz')),
  refused('dots with parameters', get('/public/..;a=b/admin')),
  refused('a space in the target', get('/public/a b')),
  refused('a fragment', get('/public/#/../admin')),
  refused('bytes that have to be escaped', get('/public/\xe4')),
  refused('a null in the target', get('/public/\0x')),
  refused('a target that is too long', get(`/public/${'x'.repeat(9_000)}`), 414),
  passed('a query that looks like a path', get('/public/x?/../admin'), 'GET /public/x?/../admin'),
]

const hosts: readonly Row[] = [
  refused('no host', 'GET /public/x HTTP/1.1\r\n\r\n'),
  refused('no host with HTTP/1.0', 'GET /public/x HTTP/1.0\r\n\r\n'),
  refused('an empty host', get('/public/x', '', '')),
  refused('two hosts', get('/public/x', 'Host: admin.test\r\n')),
  refused('one host twice', get('/public/x', 'Host: shop.test\r\n')),
  refused('a host with credentials', get('/public/x', '', 'admin.test@shop.test')),
  refused('a host with a path', get('/public/x', '', 'shop.test/admin')),
  refused('a list of hosts', get('/public/x', '', 'shop.test, admin.test')),
  refused('a host with a space', get('/public/x', '', 'shop.test admin.test')),
  refused('a host with a port that is none', get('/public/x', '', 'shop.test:99999')),
  refused('a host with an escape', get('/public/x', '', 'shop%2etest')),
  passed('a host in capitals with a dot and a port', get('/public/x', '', 'SHOP.test.:8080'), 'GET /public/x'),
  passed('hosts in other fields', get('/public/x', 'X-Forwarded-Host: admin.test\r\nForwarded: host=admin.test\r\nX-Original-URL: /admin\r\n'), 'GET /public/x'),
]

const heads: readonly Row[] = [
  refused('bare LFs', 'GET /public/x HTTP/1.1\nHost: shop.test\n\n'),
  refused('a bare LF in a value', get('/public/x', 'a: b\nx-staff: yes\r\n')),
  refused('a bare CR in a value', get('/public/x', 'a: b\rx-staff: yes\r\n')),
  refused('a null in a value', get('/public/x', 'a: b\0c\r\n')),
  refused('a value that is folded', get('/public/x', 'a: b\r\n c\r\n')),
  refused('a space before the first field', 'GET /public/x HTTP/1.1\r\n Host: shop.test\r\nHost: shop.test\r\n\r\n'),
  refused('a space in a name', get('/public/x', 'x staff: yes\r\n')),
  refused('an empty name', get('/public/x', ': yes\r\n')),
  refused('a field without a colon', get('/public/x', 'x-staff\r\n')),
  refused('a null in a name', get('/public/x', 'x\0staff: yes\r\n')),
  refused('too many fields', get('/public/x', 'a: b\r\n'.repeat(100)), 431),
  refused('far too many fields', get('/public/x', 'a:b\r\n'.repeat(2_900)), 431),
  refused('a value that is too long', get('/public/x', `a: ${'b'.repeat(20_000)}\r\n`), 431),
  refused('a version that is not spoken', 'GET /public/x HTTP/2.0\r\nHost: shop.test\r\n\r\n', 505),
  refused('a version that is none', 'GET /public/x HTTP/1.1x\r\nHost: shop.test\r\n\r\n'),
  refused('no version', 'GET /public/x\r\n\r\n', 505),
  refused('the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  refused('a method in small letters', 'get /public/x HTTP/1.1\r\nHost: shop.test\r\n\r\n'),
  refused('a greeting of TLS', '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03'),
  refused('host as a field of the connection', get('/public/x', 'Connection: close, Host\r\n')),
  refused('the length as a field of the connection', post('Connection: content-length\r\nContent-Length: 2\r\n', 'hi')),
  refused('another expectation', post('Expect: 200-ok\r\nContent-Length: 2\r\n', 'hi'), 417),
  refused('an upgrade with a body', post(`Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: ${smuggled.length}\r\n`, smuggled)),
  unrouted('a field of the connection that a route asks for', get('/admin/x', 'Connection: x-staff\r\nx-staff: yes\r\n')),
  passed('empty lines before a request', `\r\n\r\n${get('/public/x')}`, 'GET /public/x'),
  passed('three requests at once', get('/public/1') + get('/public/2') + get('/public/3'), 'GET /public/1', 'GET /public/2', 'GET /public/3'),
  { name: 'a request, and then none', raw: `${get('/public/1')}nonsense\r\n\r\n`, statuses: [200], seen: ['GET /public/1'] },
  { name: 'an upgrade that is refused, and a request behind it', raw: get('/public/x', `Connection: upgrade\r\nUpgrade: websocket\r\n${keyed}`) + smuggled,
    statuses: [200], seen: ['GET /public/x'] },
  { name: 'HEAD, and what looks like its body', raw: 'HEAD /public/x HTTP/1.1\r\nHost: shop.test\r\n\r\n', statuses: [200, 200],
    seen: ['HEAD /public/x', 'GET /public/end'] },
]

const paths: readonly Row[] = [
  unrouted('a parameter on a segment that dots take back', get('/public;x/../admin/x')),
  unrouted('dots, half of them escaped', get('/public/.%2e/admin/x')),
  unrouted('dots at the end', get('/public/..')),
  unrouted('more dots than there are segments', get('/public/x/%2e%2e/%2E%2e/../../admin/x')),
  unrouted('another case', get('/PUBLIC/x')),
  unrouted('a prefix that goes on', get('/publicity')),
  unrouted('a parameter behind the prefix', get('/public;/x')),
  refused('dots that are escaped, with parameters', get('/public/%2e%2e;x=1/admin')),
  refused('dots with an escaped semicolon', get('/public/..%3b/admin')),
  refused('a dot with parameters', get('/public/.;/admin')),
  refused('dots with parameters behind a backslash', get('/public\\..;\\admin')),
  refused('an overlong dot of two bytes', get('/public/%c0%ae%c0%ae/admin')),
  refused('an overlong slash of two bytes', get('/public/..%c0%afadmin')),
  refused('an overlong dot of three bytes', get('/public/%e0%80%ae%E0%80%AE/admin')),
  refused('an overlong slash of four bytes', get('/public/..%f0%80%80%afadmin')),
  refused('an escape of sixteen bits', get('/public/%u002e%u002e/admin')),
  refused('an escape that is cut off', get('/public/%2')),
  refused('an escaped slash, escaped in small letters', get('/public/%2e%2e%2fadmin')),
  refused('an escaped tab', get('/public/x%09y')),
  refused('an escaped delete', get('/public/x%7f')),
  passed('slashes that are escaped twice', get('/public/..%252fadmin'), 'GET /public/..%252fadmin'),
  passed('wide dots and slashes', get('/public/%ef%bc%8e%ef%bc%8e%ef%bc%8fadmin'), 'GET /public/%ef%bc%8e%ef%bc%8e%ef%bc%8fadmin'),
  passed('three dots', get('/public/.../admin'), 'GET /public/.../admin'),
  passed('parameters', get('/public/x;v=1/y;w=2'), 'GET /public/x;v=1/y;w=2'),
  passed('escapes in a query stay', get('/public/x?a=%2e%2e%2f&b=%00%zz'), 'GET /public/x?a=%2e%2e%2f&b=%00%zz'),
  passed('an empty query', get('/public/x?'), 'GET /public/x?'),
  unrouted('an absolute target with dots', get('http://shop.test/public/../admin/x')),
  unrouted('an absolute target without a path', get('http://shop.test')),
  unrouted('an absolute target with a query alone', get('http://shop.test?/public/x')),
  refused('an absolute target without an authority', get('http:///public/x')),
  refused('an absolute target with one slash', get('http:/public/x')),
  refused('an absolute target whose authority ends early for some', get('http://shop.test\\@admin.test/public/x')),
  refused('a star with GET', get('*')),
]

const lines: readonly Row[] = [
  refused('a space before the method', ' GET /public/x HTTP/1.1\r\nHost: shop.test\r\n\r\n'),
  refused('a tab behind the method', 'GET\t/public/x HTTP/1.1\r\nHost: shop.test\r\n\r\n'),
  refused('a vertical tab behind the target', 'GET /public/x\x0bHTTP/1.1\r\nHost: shop.test\r\n\r\n'),
  refused('a version with more digits', 'GET /public/x HTTP/1.10\r\nHost: shop.test\r\n\r\n'),
  refused('a version with a zero in front', 'GET /public/x HTTP/01.1\r\nHost: shop.test\r\n\r\n'),
  refused('two versions', 'GET /public/x HTTP/1.1 HTTP/1.1\r\nHost: shop.test\r\n\r\n'),
  refused('a version in small letters', 'GET /public/x http/1.1\r\nHost: shop.test\r\n\r\n'),
  last('another protocol, which Node takes for HTTP/1.0', 'GET /public/x RTSP/1.0\r\nHost: shop.test\r\n\r\n', 'GET /public/x'),
  refused('a method that nobody knows', 'FETCH /public/x HTTP/1.1\r\nHost: shop.test\r\n\r\n'),
  refused('a null in the method', 'GE\0T /public/x HTTP/1.1\r\nHost: shop.test\r\n\r\n'),
  refused('a pseudo-header', get('/public/x', ':authority: admin.test\r\n')),
  refused('a pseudo-header for a host', 'GET /public/x HTTP/1.1\r\n:authority: shop.test\r\n\r\n'),
  refused('a control character in a value', get('/public/x', 'a: b\x01c\r\n')),
  refused('a delete in a value', get('/public/x', 'a: b\x7fc\r\n')),
  refused('a name with bytes that are no token', get('/public/x', 'x-st\xe4ff: yes\r\n')),
  refused('a name with a bracket', get('/public/x', 'x(staff): yes\r\n')),
  refused('a host behind a vertical tab', 'GET /public/x HTTP/1.1\r\nHost:\x0bshop.test\r\n\r\n'),
  refused('a host with an empty port', get('/public/x', '', 'shop.test:')),
  refused('a host with two ports', get('/public/x', '', 'shop.test:80:81')),
  refused('a host with a fragment', get('/public/x', '', 'shop.test#.admin.test')),
  refused('a host with a question', get('/public/x', '', 'shop.test?.admin.test')),
  refused('a host with a backslash', get('/public/x', '', 'admin.test\\.shop.test')),
  refused('a host of another script', get('/public/x', '', 'shop\xb7test')),
  unrouted('a host that the routes have not', get('/public/x', '', 'shop.test.admin.test')),
  passed('a tab before the host', 'GET /public/x HTTP/1.1\r\nHost:\tshop.test\r\n\r\n', 'GET /public/x'),
  passed('names that objects have', get('/public/x', '__proto__: x\r\nconstructor: y\r\nhasOwnProperty: z\r\nConnection: __proto__\r\n'), 'GET /public/x'),
  passed('a value with bytes above ASCII', get('/public/x', 'a: \xff\xe4\r\n'), 'GET /public/x'),
]

const framings: readonly Row[] = [
  refused('a length behind a vertical tab', post('Content-Length: \x0b5\r\n', 'hello')),
  refused('a length with a parameter', post('Content-Length: 5;x\r\n', 'hello')),
  refused('a length with a point', post('Content-Length: 5.0\r\n', 'hello')),
  refused('a length with an exponent', post('Content-Length: 1e1\r\n', 'hello')),
  refused('a length with a comma behind', post('Content-Length: 5,\r\n', 'hello')),
  refused('lengths in two spellings', post('content-length: 5\r\nCONTENT-LENGTH: 0\r\n', 'hello')),
  refused('a length before, and one behind the name with a space', post('Content-Length: 0\r\nContent-Length : 5\r\n', 'hello')),
  refused('a coding that is empty', post('Transfer-Encoding:\r\nContent-Length: 5\r\n', 'hello')),
  refused('a coding with a comma before', post('Transfer-Encoding: ,chunked\r\n', '0\r\n\r\n'), 501),
  refused('a coding with a comma behind', post('Transfer-Encoding: chunked,\r\n', '0\r\n\r\n')),
  refused('a coding with a null', post('Transfer-Encoding: chunked\0\r\n', '0\r\n\r\n')),
  refused('a coding that the connection names', post(`${chunked}Connection: Transfer-Encoding\r\n`, '0\r\n\r\n')),
  refused('chunks that are cut by a request', post(chunked, `5\r\nhe${smuggled}`)),
  refused('a chunk with a space before its size', post(chunked, ' 2\r\nhi\r\n0\r\n\r\n')),
  refused('a chunk with an underscore in its size', post(chunked, '1_0\r\nhi\r\n0\r\n\r\n')),
  refused('a chunk whose line break is LF CR', post(chunked, '2\n\rhi\r\n0\r\n\r\n')),
  refused('a bare CR behind a chunk', post(chunked, '2\r\nhi\r0\r\n\r\n')),
  refused('a bare LF behind a chunk', post(chunked, '2\r\nhi\n0\r\n\r\n')),
  refused('a trailer that is folded', post(chunked, '2\r\nhi\r\n0\r\nx: a\r\n b\r\n\r\n')),
  refused('a bare LF in a trailer', post(chunked, `2\r\nhi\r\n0\r\nx: a\nb: c\r\n\r\n${smuggled}`)),
  passed('a length with zeros in front', post('Content-Length: 005\r\n', 'hello'), 'POST /public/x hello'),
  passed('a size with zeros in front', post(chunked, '0002\r\nhi\r\n000\r\n\r\n'), 'POST /public/x hi'),
  passed('a length of none, and a request behind it', post('Content-Length: 0\r\n') + get('/public/2'), 'POST /public/x', 'GET /public/2'),
  passed('a DELETE with a body that looks like a request', `DELETE /public/x HTTP/1.1\r\nHost: shop.test\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    `DELETE /public/x ${smuggled}`),
  passed('trailers that are asked for', get('/public/x', 'TE: trailers, deflate;q=0.5\r\nConnection: TE\r\n'), 'GET /public/x'),
]

const connections: readonly Row[] = [
  last('h2c', get('/public/x', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n'), 'GET /public/x'),
  last('an upgrade to one of two', get('/public/x', 'Connection: upgrade\r\nUpgrade: websocket, h2c\r\n'), 'GET /public/x'),
  passed('an upgrade that the connection does not name', get('/public/x', 'Upgrade: websocket\r\n'), 'GET /public/x'),
  refused('an upgrade with chunks', post(`Connection: upgrade\r\nUpgrade: websocket\r\n${chunked}`, '0\r\n\r\n')),
  refused('the host, named in capitals among others', get('/public/x', 'Connection: close, x-a,  HOST  ,y\r\n')),
  refused('who it is forwarded for, as a field of the connection', get('/public/x', 'Connection: X-Forwarded-For\r\n')),
  unrouted('a field of the connection in capitals', get('/admin/x', 'Connection: X-STAFF\r\nx-staff: yes\r\n')),
  unrouted('a staff that is spelt with an underscore', get('/admin/x', 'x_staff: yes\r\n')),
  unrouted('a staff in the query and the cookie', get('/admin/x?x-staff=yes', 'Cookie: x-staff=yes\r\n')),
  passed('a method beside the method', get('/public/x', 'X-Original-Method: DELETE\r\nX-Rewrite-URL: /admin\r\nX-Original-URI: /admin\r\n'), 'GET /public/x'),
]

/** All of them. */
export const rows: readonly Row[] = [
  ...lengths, ...codings, ...chunks, ...targets, ...hosts, ...heads, ...paths, ...lines, ...framings, ...connections,
]
