import { ReadableStream } from 'node:stream/web'
import { inspect } from 'node:util'
import { answering, type Answer } from './origin.ts'
import { echoOf, errorOf, headOf, outcomeOf } from './outcome.ts'

// Cases pass what no type lets through, so the types of `fetch` are widened.
export type Fetch = (input?: unknown, init?: unknown) => Promise<Response>

/** Where a case is played. */
export interface Stage {
  readonly fetch: Fetch
  /** URL of a server that echoes, or answers as it is told. */
  readonly origin: string
  /** Another one. */
  readonly other: string
  /** Where nobody listens. */
  readonly nobody: string
  /** Resolves when one more request has arrived at the first server. */
  readonly arrival: () => Promise<void>
}

/** Something that `fetch` does, in words of the standard, and how to find it out. */
export interface Case {
  readonly name: string
  /** Yields plain data; what it throws is compared as well. */
  readonly find: (stage: Stage) => unknown
  /** Why the mesh finds something else than the platform, where that is meant. */
  readonly differs?: string
  /** The same for Node of one major version. */
  readonly differsOn?: Readonly<Record<number, string>>
  /** Why it does so only where the platform's own `fetch` is sent through the mesh. */
  readonly differsRoundabout?: string
}

type Finding = (response: Response, stage: Stage) => unknown

const headAndText: Finding = async (response) => ({ ...headOf(response), text: await response.text() })

/** What the server is sent for an `init`. */
const sends = (name: string, init: unknown, differs?: string): Case =>
  ({ name: `request: ${name}`, find: async ({ fetch, origin }) => echoOf(await fetch(`${origin}/echo`, init)), ...(differs && { differs }) })

/** The same where `init` has to be made afresh for each `fetch`. */
const sendsNew = (name: string, init: () => unknown, differsOn?: Case['differsOn']): Case =>
  ({ name: `request: ${name}`, find: async ({ fetch, origin }) => echoOf(await fetch(`${origin}/echo`, init())), ...(differsOn && { differsOn }) })

/** What the server is sent, and under which URL, for an input. */
const dials = (name: string, input: (origin: string) => unknown, init?: unknown): Case => ({
  name: `URL: ${name}`,
  find: async ({ fetch, origin }) => {
    const response = await fetch(input(origin), init)
    return { url: response.url, seen: await echoOf(response) }
  },
})

/** What a caller finds in an answer. */
const gets = (name: string, answer: Answer, finding: Finding = headAndText, init?: unknown, differs?: string): Case => ({
  name: `response: ${name}`,
  find: async (stage) => finding(await stage.fetch(`${stage.origin}${answering(answer)}`, init), stage),
  ...(differs && { differs }),
})

const follows = (name: string, status: number, location: (stage: Stage) => string, init?: unknown, differsOn?: Case['differsOn']): Case => ({
  ...(differsOn && { differsOn }),
  name: `redirect: ${name}`,
  find: async (stage) => {
    const response = await stage.fetch(`${stage.origin}${answering({ status, headers: [['location', location(stage)]], body: 'moved' })}`, init)
    const { url, redirected, status: last } = response
    const text = await response.text()
    return { url, redirected, status: last, seen: text.startsWith('{') ? await echoOf(new Response(text)) : text }
  },
})

const other = (name: string, find: Case['find'], differs?: string | Case['differsOn']): Case =>
  ({ name, find, ...(typeof differs === 'string' ? { differs } : differs && { differsOn: differs }) })

const json: readonly [string, string] = ['content-type', 'application/json']
const plain: readonly [string, string] = ['content-type', 'text/plain']
const hello: Answer = { headers: [plain], body: 'hello' }

const streamOf = (...parts: readonly string[]): ReadableStream => ReadableStream.from(parts.map((part) => new TextEncoder().encode(part)))

const formOf = (...entries: readonly (readonly [string, string | Blob])[]): FormData => {
  const form = new FormData()
  for (const [name, value] of entries) form.append(name, value as string)
  return form
}

const methods: readonly Case[] = [
  'GET', 'get', 'GeT', 'HEAD', 'POST', 'post', 'PUT', 'put', 'DELETE', 'delete', 'OPTIONS', 'options', 'PATCH', 'patch', 'Patch',
  'PROPFIND', 'propfind', 'QUERY', 'X-OWN', 'constructor', '__proto__', 'GE T', '', 'CONNECT', 'TRACE', 'track', null, undefined, 7,
].map((method) => method === 'HEAD'
  ? gets('of HEAD has no body', { headers: [plain], body: 'hello' }, async (response) => ({ ...headOf(response), body: response.body, text: await response.text() }), { method })
  : sends(`method ${JSON.stringify(method)}`, { method }))

const droppedField = 'the mesh leaves out fields of the connection, which is its own business, where undici would refuse the request or obey'

const headers: readonly Case[] = [
  sends('no init at all', undefined),
  sends('init null', null),
  sends('headers as a record', { headers: { 'X-One': '1', 'x-two': '2' } }),
  sends('headers as pairs', { headers: [['X-One', '1'], ['x-two', '2']] }),
  sends('headers as Headers', { headers: new Headers({ 'X-One': '1', 'x-two': '2' }) }),
  sends('headers as a Map', { headers: new Map([['x-one', '1']]) }),
  sendsNew('headers from a generator', () => ({ headers: (function* () { yield ['x-one', '1'] })() })),
  sends('inherited headers', { headers: Object.create({ 'x-one': '1' }) as object }),
  sends('headers of an object without prototype', { headers: Object.assign(Object.create(null) as object, { 'x-one': '1' }) }),
  sends('headers null', { headers: null }),
  sends('headers as a string', { headers: 'x-one: 1' }),
  sends('a pair of one', { headers: [['x-one']] }),
  sends('a pair of three', { headers: [['x-one', '1', '2']] }),
  sends('a field twice in pairs', { headers: [['x-one', '1'], ['X-One', '2']] }),
  sends('a field twice in a record, in two spellings', { headers: { 'x-one': '1', 'X-One': '2' } }),
  sends('two cookies', { headers: [['cookie', 'a=1'], ['cookie', 'b=2']] }),
  sends('set-cookie in a request', { headers: { 'set-cookie': 'a=1' } }),
  sends('spaces around a value', { headers: { 'x-one': ' \t1 2\t ' } }),
  sends('an empty value', { headers: { 'x-one': '' } }),
  sends('a value of spaces', { headers: { 'x-one': '   ' } }),
  sends('a value in Latin-1', { headers: { 'x-one': 'caf\u00e9' } }),
  sends('a value beyond Latin-1', { headers: { 'x-one': '\u20ac' } }),
  sends('a value with a line feed', { headers: { 'x-one': 'a\nx-two: b' } }),
  sends('a value with a carriage return', { headers: { 'x-one': 'a\rb' } }),
  sends('a value with a NUL', { headers: { 'x-one': 'a\0b' } }),
  sends('a value with a tab', { headers: { 'x-one': 'a\tb' } }),
  sends('a value with a control character', { headers: { 'x-one': 'a\u0001b' } }),
  sends('a number as value', { headers: { 'x-one': 1 } }),
  sends('undefined as value', { headers: { 'x-one': undefined } }),
  sends('null as value', { headers: { 'x-one': null } }),
  sends('an array as value', { headers: { 'x-one': ['a', 'b'] } }),
  sends('a symbol as value', { headers: { 'x-one': Symbol('a') } }),
  sends('names that every object has', { headers: { 'constructor': 'a', 'to-string': 'b', 'hasownproperty': 'c' } }),
  sends('an empty name', { headers: { '': 'a' } }),
  sends('a name with a space', { headers: { 'x one': 'a' } }),
  sends('a name with a colon', { headers: { 'x:one': 'a' } }),
  sends('a name beyond ASCII', { headers: { 'x-\u00e9': 'a' } }),
  sends('accept of its own', { headers: { Accept: 'application/json' } }),
  sends('accept-language of its own', { headers: { 'accept-language': 'de' } }),
  sends('user-agent of its own', { headers: { 'User-Agent': 'shop/1' } }),
  sends('accept-encoding of its own', { headers: { 'accept-encoding': 'identity' } }),
  sends('all that fetch adds', { headers: { 'accept': 'a/b', 'accept-language': 'de', 'user-agent': 'u', 'accept-encoding': 'identity', 'content-type': 'a/b' } }),
  sends('sec-fetch-mode of its own', { headers: { 'sec-fetch-mode': 'navigate' } }),
  sends('host of its own', { headers: { host: 'elsewhere.test' } }),
  sends('authorization', { headers: { authorization: 'Bearer t' } }),
  sends('origin and referer', { headers: { origin: 'http://a.test', referer: 'http://a.test/b' } }),
  sends('cache-control and pragma', { headers: { 'cache-control': 'max-age=0', 'pragma': 'x' } }),
  sends('if-none-match', { headers: { 'if-none-match': '"a"' } }),
  sends('if-modified-since with cache-control', { headers: { 'if-modified-since': 'Tue, 24 Nov 2026 08:00:00 GMT', 'cache-control': 'max-age=1' } }),
  sends('range', { headers: { range: 'bytes=0-1' } }),
  sends('connection: close', { headers: { connection: 'close' } }),
  sends('transfer-encoding', { method: 'POST', body: 'a', headers: { 'transfer-encoding': 'chunked' } }, droppedField),
  sends('keep-alive', { headers: { 'keep-alive': 'timeout=1' } }, droppedField),
  sends('upgrade', { headers: { upgrade: 'websocket' } }, droppedField),
  sends('expect', { method: 'POST', body: 'a', headers: { expect: '100-continue' } }),
  sends('the right content-length', { method: 'POST', body: 'abc', headers: { 'content-length': '3' } }),
  sends('a wrong content-length', { method: 'POST', body: 'abc', headers: { 'content-length': '4' } }),
  sends('a symbol as name', { headers: { [Symbol('x-one')]: '1' } }),
  sends('a hidden header', { headers: Object.defineProperty({}, 'x-one', { value: '1' }) }),
  sends('fifty fields', { headers: Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`x-${index}`, String(index)])) }),
]

const bytes = new Uint8Array([0, 1, 127, 128, 255])

const givenAway = (): Uint8Array => {
  const given = new Uint8Array(4)
  structuredClone(given, { transfer: [given.buffer] })
  return given
}

const failsOnGivenAway = { 22: 'its platform fails on memory that was given away, where the standard has it empty' }

const bodies: readonly Case[] = [
  ...([
    ['a string', 'hell\u00f6'], ['an empty string', ''], ['a string with half a surrogate pair', 'a\ud800b'],
    ['bytes', bytes], ['no bytes', new Uint8Array()], ['part of a buffer', bytes.subarray(1, 3)], ['a Buffer', Buffer.from('buffer')],
    ['an ArrayBuffer', bytes.buffer], ['a DataView', new DataView(bytes.buffer, 1, 2)], ['floats', new Float32Array([1, 2])],
    ['parameters', new URLSearchParams({ a: 'b c', d: '\u00e9' })], ['no parameters', new URLSearchParams()],
    ['a Blob', new Blob(['blob'], { type: 'X/Y' })], ['a Blob without a type', new Blob(['blob'])],
    ['a form', formOf(['name', 'value'], ['other', 'v'])], ['a form with a file', formOf(['file', new File(['content'], 'a.txt', { type: 'text/plain' })])],
    ['a number', 7], ['an object', { a: 1 }], ['an array', [1, 2]], ['true', true], ['null', null], ['undefined', undefined],
    ['shared memory', new Uint8Array(new SharedArrayBuffer(2))],
  ] as const).flatMap(([what, body]) => [sends(`POST ${what}`, { method: 'POST', body }), sends(`PUT ${what} as a/b`, { method: 'PUT', body, headers: { 'Content-Type': 'a/b' } })]),
  ...['DELETE', 'OPTIONS', 'PATCH', 'PROPFIND', 'GET', 'HEAD'].map((method) => sends(`${method} with a body`, { method, body: 'abc' })),
  sends('GET with an empty body', { body: '' }),
  sends('keepalive with a body', { method: 'POST', body: 'abc', keepalive: true }),
  sendsNew('a stream', () => ({ method: 'POST', body: streamOf('one ', 'two'), duplex: 'half' })),
  sendsNew('a stream without duplex', () => ({ method: 'POST', body: streamOf('one') })),
  sendsNew('a stream that is locked', () => {
    const body = streamOf('one')
    body.getReader()
    return { method: 'POST', body, duplex: 'half' }
  }),
  sendsNew('an async generator', () => ({ method: 'POST', duplex: 'half', body: (async function* () { yield new TextEncoder().encode('one') })() })),
  sendsNew('a stream that fails', () => ({ method: 'POST', duplex: 'half', body: new ReadableStream({ pull: () => { throw new RangeError('no more') } }) })),
  sendsNew('memory that was given away', () => ({ method: 'POST', body: givenAway().buffer }), failsOnGivenAway),
  sendsNew('bytes that were given away', () => ({ method: 'POST', body: givenAway() }), failsOnGivenAway),
  other('request: bytes that change after the call', async ({ fetch, origin }) => {
    const body = new TextEncoder().encode('before')
    const response = fetch(`${origin}/echo`, { method: 'POST', body })
    body.fill(0)
    return echoOf(await response)
  }),
  other('request: an ArrayBuffer that changes after the call', async ({ fetch, origin }) => {
    const body = new TextEncoder().encode('before').buffer
    const response = fetch(`${origin}/echo`, { method: 'POST', body })
    new Uint8Array(body).fill(0)
    return echoOf(await response)
  }),
  other('request: headers that change after the call', async ({ fetch, origin }) => {
    const fields = { 'x-one': 'before' }
    const response = fetch(`${origin}/echo`, { headers: fields })
    fields['x-one'] = 'after'
    return echoOf(await response)
  }),
]

/** An object of a class that says something else than what it inherits. */
const saying = <T extends object>(real: T, own: Readonly<Record<string, unknown>>): T => {
  const prototype = Object.create(Object.getPrototypeOf(real) as object) as object
  for (const [name, value] of Object.entries(own)) Object.defineProperty(prototype, name, { get: () => value })
  return Object.setPrototypeOf(real, prototype) as T
}

const urls: readonly Case[] = [
  dials('a URL object', (origin) => new URL('/a?b=c', origin)),
  dials('a URL that is written otherwise', (origin) => Object.assign(new URL('/real', origin), { toString: () => `${origin}/own` })),
  dials('a URL of one\'s own class', (origin) => saying(new URL('/real', origin), { href: `${origin}/own` })),
  dials('an object with toString', (origin) => ({ toString: () => `${origin}/a` })),
  dials('without a path', (origin) => origin),
  dials('with a query and no path', (origin) => `${origin}?a=b`),
  dials('with a fragment', (origin) => `${origin}/a?b#c`),
  dials('with an empty fragment', (origin) => `${origin}/a#`),
  dials('with an empty query', (origin) => `${origin}/a?`),
  dials('with an empty query and a fragment', (origin) => `${origin}/a?#c`),
  dials('with dot segments', (origin) => `${origin}/a/./b/../c/%2e%2E/d`),
  dials('with spaces', (origin) => `  ${origin}/a b?c d `),
  dials('with a tab and a line feed', (origin) => `${origin}/a\tb\nc`),
  dials('beyond ASCII', (origin) => `${origin}/\u00e9?\u00e9`),
  dials('with what is escaped and what is not', (origin) => `${origin}/a"<>^\`{|}'[]?a"<>^\`{|}'[]`),
  dials('with escapes', (origin) => `${origin}/%41%zz?%41%zz`),
  dials('with backslashes', (origin) => `${origin}\\a\\b`),
  dials('in capitals', (origin) => `${origin.replace('http', 'HTTP')}/A`),
  dials('with leading zeros in the address', (origin) => `${origin.replace('127.0.0.1', '127.0.00.1')}/a`),
  dials('in short form', (origin) => `${origin.replace('127.0.0.1', '127.1')}/a`),
  dials('with a dot at the end of the host', (origin) => `${origin.replace('127.0.0.1', '127.0.0.1.')}/a`),
  ...['', '/a', 'a', 'http://', 'http://[', 'http://a:99999/', 'http://a b/', '//a', 'http:///a', 'ftp://127.0.0.1/a', 'file:///a', 'about:blank',
    'javascript:1', 'ws://127.0.0.1/a', 'http://127.0.0.1:1/', 'http://127.0.0.1:6000/', 'http://127.0.0.1:10080/'].map((url) => dials(JSON.stringify(url), () => url)),
  dials('with a name and a password', (origin) => `${origin.replace('http://', 'http://name:word@')}/a`),
  dials('with a name', (origin) => `${origin.replace('http://', 'http://name@')}/a`),
  ...[undefined, null, 7, true].map((input) => dials(String(input), () => input)),
  dials('a symbol', () => Symbol('a')),
  other('URL: data:', async ({ fetch }) => headAndText(await fetch('data:text/plain;charset=utf-8,hello'), undefined as never)),
  other('URL: data: that is none', ({ fetch }) => fetch('data:')),
  other('URL: blob:', async ({ fetch }) => {
    const url = URL.createObjectURL(new Blob(['hello'], { type: 'text/plain' }))
    const response = await fetch(url)
    return { status: response.status, text: await response.text(), type: response.headers.get('content-type') }
  }),
  other('URL: blob: that is none', ({ fetch }) => fetch('blob:nodedata:0')),
  other('URL: nothing is given', ({ fetch }) => fetch()),
]

const requests: readonly Case[] = [
  dials('a Request', (origin) => new Request(`${origin}/a#b`)),
  dials('a Request with headers', (origin) => new Request(`${origin}/a`, { headers: { 'X-One': '1', 'accept': 'a/b' } })),
  dials('a Request of one\'s own class', (origin) =>
    saying(new Request(`${origin}/real`), { url: `${origin}/own`, method: 'DELETE', headers: new Headers({ 'x-own': '1' }) })),
  dials('a Request with a property of its own', (origin) => Object.defineProperty(new Request(`${origin}/real`), 'url', { value: `${origin}/own` })),
  dials('a Request with a method', (origin) => new Request(`${origin}/a`, { method: 'delete' })),
  dials('a Request with a string', (origin) => new Request(`${origin}/a`, { method: 'POST', body: 'abc' })),
  dials('a Request with a form', (origin) => new Request(`${origin}/a`, { method: 'POST', body: formOf(['a', 'b']) })),
  dials('a Request and an init', (origin) => new Request(`${origin}/a`, { headers: { 'x-one': '1' } }), { method: 'PUT', body: 'x', headers: { 'x-two': '2' } }),
  dials('a Request and an empty init', (origin) => new Request(`${origin}/a`, { headers: { 'x-one': '1' } }), {}),
  dials('a Request with cache no-store', (origin) => new Request(`${origin}/a`, { cache: 'no-store' } as RequestInit)),
  sendsNew('a Request as init', () => new Request('http://else.test/', { method: 'POST', body: 'abc', headers: { 'x-one': '1' } })),
  sendsNew('a Request without a body as init', () => new Request('http://else.test/', { method: 'DELETE', headers: { 'x-one': '1' } })),
  other('URL: a Request whose body is used', async ({ fetch, origin }) => {
    const request = new Request(`${origin}/a`, { method: 'POST', body: 'abc' })
    await request.text()
    return fetch(request)
  }),
  other('URL: a Request twice', async ({ fetch, origin }) => {
    const request = new Request(`${origin}/a`)
    return [await echoOf(await fetch(request)), await echoOf(await fetch(request)), request.bodyUsed]
  }),
  other('URL: a Request with a body is used after', async ({ fetch, origin }) => {
    const request = new Request(`${origin}/a`, { method: 'POST', body: 'abc' })
    const seen = await echoOf(await fetch(request))
    return [seen, request.bodyUsed]
  }),
]

const options: readonly Case[] = [
  ...['follow', 'manual', 'error', 'never', null].map((redirect) => sends(`redirect ${redirect}`, { redirect })),
  ...['cors', 'no-cors', 'same-origin', 'navigate', 'never'].map((mode) => sends(`mode ${mode}`, { mode })),
  sends('mode no-cors with PUT', { mode: 'no-cors', method: 'PUT' }),
  ...['omit', 'same-origin', 'include', 'never'].map((credentials) => sends(`credentials ${credentials}`, { credentials })),
  ...['default', 'no-store', 'reload', 'no-cache', 'force-cache', 'only-if-cached', 'never'].map((cache) => sends(`cache ${cache}`, { cache })),
  ...['', 'about:client', 'http://a.test/b', 'http://['].map((referrer) => sends(`referrer ${JSON.stringify(referrer)}`, { referrer })),
  ...['', 'no-referrer', 'unsafe-url', 'never'].map((referrerPolicy) => sends(`referrerPolicy ${JSON.stringify(referrerPolicy)}`, { referrerPolicy })),
  sends('keepalive', { keepalive: true }),
  sends('window null', { window: null }),
  sends('a window', { window: {} }),
  ...['half', 'full'].map((duplex) => sends(`duplex ${duplex}`, { duplex })),
  sends('a priority', { priority: 'high' }),
  sends('a member that fetch does not know', { shop: 'a' }),
  sends('init as a string', 'GET'),
  sends('init as a number', 7),
  sendsNew('a function as init', () => Object.assign(() => {}, { method: 'PUT', body: 'abc' })),
  sendsNew('a method that changes when it is read', () => {
    const methods = ['PUT', 'DELETE', 'PATCH', 'POST']
    return { get method() { return methods.shift() } }
  }),
  sends('an inherited init', Object.create({ method: 'POST', body: 'abc' })),
  sends('signal null', { signal: null }),
  sends('signal undefined', { signal: undefined }),
  sends('a signal that is none', { signal: {} }),
  sends('a string as signal', { signal: 'now' }),
  gets('of good integrity', hello, headAndText, { integrity: 'sha256-LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=' }),
  gets('of bad integrity', hello, headAndText, { integrity: 'sha256-LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCA=' }),
]

const used: Finding = async (response) => {
  const before = response.bodyUsed
  const text = await response.text()
  const again = await outcomeOf(() => response.text())
  return { before, text, after: response.bodyUsed, again, locked: response.body?.locked }
}

const readers = ['arrayBuffer', 'bytes', 'blob', 'json', 'text', 'formData'] as const

const readBy = (reader: typeof readers[number]): Finding => async (response) => {
  if (!(reader in Response.prototype)) return 'unknown to this platform'
  const read = await (response as unknown as Record<typeof reader, () => Promise<unknown>>)[reader]()
  if (read instanceof Blob) return { type: read.type, size: read.size, text: await read.text() }
  if (read instanceof FormData) return Promise.all([...read].map(async ([name, value]) => [name, typeof value === 'string' ? value : [value.name, value.type, await value.text()]]))
  if (read instanceof ArrayBuffer) return { buffer: [...new Uint8Array(read)] }
  if (read instanceof Uint8Array) return { own: read.byteOffset === 0 && read.buffer.byteLength === read.byteLength, kind: read.constructor.name, bytes: [...read] }
  return { value: read }
}

const statuses: readonly Case[] = [
  200, 201, 202, 203, 206, 226, 299, 300, 305, 306, 400, 401, 402, 403, 404, 405, 408, 409, 410, 412, 413, 415, 416, 418, 421, 422, 425, 428, 429, 431, 451, 500,
  501, 502, 503, 504, 507, 511, 599, 600, 799, 999, 407,
].map((status) => gets(`status ${status}`, { status, headers: [plain], body: 'hello' }))

const heads: readonly Case[] = [
  ...[204, 205, 304].map((status) => gets(`status ${status} has no body`, { status, reason: 'none' },
    async (response) => ({ ...headOf(response), body: response.body, text: await response.text(), twice: await response.text(), used: response.bodyUsed }))),
  ...['OK', 'All is well', 'caf\u00e9', ''].map((reason) => gets(`reason ${JSON.stringify(reason)}`, { reason })),
  gets('a field several times', { headers: [['x-one', '1'], ['X-One', '2'], ['x-one', '']] }),
  gets('several cookies', { headers: [['set-cookie', 'a=1; Path=/'], ['set-cookie', 'b=2'], ['x-one', '1']] },
    ({ headers }) => ({ cookies: headers.getSetCookie(), joined: headers.get('set-cookie'), all: [...headers].filter(([name]) => name === 'set-cookie') })),
  gets('headers asked for', { headers: [json, ['x-one', ' 1 ']] }, ({ headers }) => ({
    got: headers.get('CONTENT-TYPE'), missing: headers.get('x-two'), has: headers.has('X-One'), hasNot: headers.has('x-two'),
    illegal: (() => { try { return headers.get('x two') } catch (error) { return errorOf(error) } })(),
  })),
  gets('a header with a space at its end', { headers: [['x-one', '1 ']] }, ({ headers }) => headers.get('x-one'), undefined,
    'the platform keeps the space, which is no part of the value (RFC 9110, section 5.5)'),
  gets('headers gone through', { headers: [['x-b', '2'], ['x-a', '1'], json] }, ({ headers }) => {
    const each: unknown[] = []
    headers.forEach((value, name) => { if (name.startsWith('x-')) each.push([name, value]) })
    return { each, keys: [...headers.keys()].filter((name) => name.startsWith('x-')), values: [...headers.values()].includes('2') }
  }),
  gets('headers can\'t be changed', hello, async ({ headers }) => [
    await outcomeOf(() => headers.set('x-one', '1')), await outcomeOf(() => headers.append('x-one', '1')),
    await outcomeOf(() => headers.delete('content-type')), headers.get('content-type'),
  ]),
  gets('headers are the same each time and a Headers', hello, (response) =>
    [response.headers === response.headers, response.headers instanceof Headers, response.headers.constructor === Headers, Object.prototype.toString.call(response.headers)]),
  gets('headers handed on', { headers: [json, ['x-one', '1']] }, ({ headers }) => [...new Headers(headers)].filter(([name]) => name === 'content-type' || name === 'x-one')),
  gets('a header in Latin-1', { headers: [['x-one', 'caf\u00e9']] }),
  gets('an empty header', { headers: [['x-one', '']] }),
  gets('content-length', { headers: [['content-length', '5']], body: 'hello' }),
]

const reading: readonly Case[] = [
  ...readers.flatMap((reader) => [
    gets(`${reader}() of JSON`, { headers: [json], body: '{"a":[1,"\u00e9"]}' }, readBy(reader)),
    gets(`${reader}() of nothing`, { headers: [json] }, readBy(reader)),
    gets(`${reader}() of status 204`, { status: 204 }, readBy(reader)),
    gets(`${reader}() of bytes in several pieces`, { body: [0xEF, 0xBB, 0xBF, 0x7B, 0x7D, 0xC3, 0xA9, 0xFF, 0x61], writes: 4 }, readBy(reader)),
  ]),
  gets('text() of a mark of byte order', { body: '\ufeffhello' }, readBy('text')),
  gets('json() of a mark of byte order', { body: '\ufeff{"a":1}' }, readBy('json')),
  ...[[0xFF, 0xFE, 0x41], [0xC3], [0xE2, 0x82], [0xF0, 0x9F, 0x98], [0xED, 0xA0, 0x80], [0xC0, 0x80, 0x41], [0x41, 0x00, 0x42]]
    .map((body) => gets(`text() of the bytes ${body.map((byte) => byte.toString(16)).join(' ')}`, { body }, readBy('text'))),
  gets('json() of what is no JSON', { body: '<html>' }, readBy('json')),
  gets('json() of a large number of items', { body: '[1]', headers: [json] }, readBy('json')),
  gets('formData() of parameters', { headers: [['content-type', 'application/x-www-form-urlencoded']], body: 'a=b+c&d=%C3%A9' }, readBy('formData')),
  gets('formData() of parts', {
    headers: [['content-type', 'multipart/form-data; boundary=x']],
    body: '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nfile\r\n--x--\r\n',
  }, readBy('formData')),
  gets('blob() with parameters in its type', { headers: [['content-type', 'Text/HTML; Charset=UTF-8']], body: 'hello' }, readBy('blob')),
  gets('blob() of two types', { headers: [['content-type', 'text/plain'], ['content-type', 'text/html']], body: 'hello' }, readBy('blob')),
  gets('text() of a megabyte', { body: 'abcdefgh', times: 131_072, writes: 50 }, async (response) => (await response.text()).length),
  gets('text() of many small pieces', { body: 'abcdefgh', times: 100, writes: 200 }, async (response) => response.text()),
  gets('bodyUsed, and a body read twice', hello, used),
  gets('bodyUsed, and an empty body read twice', {}, used),
  ...readers.map((reader) => gets(`${reader}() of a body that has been read`, hello, async (response) => {
    await response.text()
    return readBy(reader)(response, undefined as never)
  })),
  gets('two reads at once', hello, (response) => Promise.all([outcomeOf(() => response.text()), outcomeOf(() => response.json())])),
  gets('bodyUsed as soon as reading begins', hello, async (response) => {
    const text = response.text()
    return [response.bodyUsed, response.body?.locked, await text]
  }),
  ...readers.map((reader) => gets(`${reader}() without its response`, hello, (response) => {
    const read = (response as unknown as Record<string, (() => unknown) | undefined>)[reader]
    return read ? outcomeOf(() => Promise.resolve(Reflect.apply(read, undefined, []))).then((outcome) => 'rejected' in outcome && (outcome.rejected as Error).name) : 'unknown'
  })),
]

const collect = async (stream: AsyncIterable<Uint8Array>): Promise<string> => {
  let text = ''
  for await (const chunk of stream) text += Buffer.from(chunk).toString()
  return text
}

const streaming: readonly Case[] = [
  gets('body is a stream, and the same each time', hello, async (response) => {
    const { body } = response
    return { stream: body instanceof globalThis.ReadableStream, same: body === response.body, locked: body!.locked, used: response.bodyUsed, text: await response.text(), after: response.bodyUsed }
  }),
  gets('body gone through', { body: 'abc', times: 100, writes: 7 }, async (response) => [await collect(response.body as never), response.bodyUsed]),
  gets('a locked body', hello, async (response) => {
    const reader = response.body!.getReader()
    const text = await outcomeOf(() => response.text())
    const clone = await outcomeOf(() => response.clone())
    const chunk = await reader.read()
    return { text, clone, used: response.bodyUsed, chunk: Buffer.from(chunk.value!).toString(), kind: chunk.value!.constructor.name }
  }),
  gets('a body locked and let go', hello, async (response) => {
    response.body!.getReader().releaseLock()
    return [response.bodyUsed, await response.text()]
  }),
  gets('a body that is read in part and then whole', { body: 'abc', times: 10 }, async (response) => {
    const reader = response.body!.getReader()
    await reader.read()
    reader.releaseLock()
    return outcomeOf(() => response.text())
  }),
  gets('a body read into memory of its reader', { body: 'hello world' }, async (response) => {
    const reader = response.body!.getReader({ mode: 'byob' })
    let text = ''
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(4))
      if (value) text += Buffer.from(value).toString()
      if (done) return text
    }
  }),
  gets('a body that ends with nothing, read into memory of its reader', {}, async (response) => {
    const { done, value } = await response.body!.getReader({ mode: 'byob' }).read(new Uint8Array(4))
    return { done, length: value?.byteLength }
  }),
  gets('a body that is cancelled', { body: 'begun', then: 'hold' }, async (response) => {
    const cancelled = await outcomeOf(() => response.body!.cancel('enough'))
    return { cancelled, used: response.bodyUsed, text: await outcomeOf(() => response.text()) }
  }),
  gets('a body that is cancelled by its reader', { body: 'begun', then: 'hold' }, async (response) => {
    const reader = response.body!.getReader()
    const { value } = await reader.read()
    await reader.cancel()
    return [Buffer.from(value!).toString(), await reader.read()]
  }),
  gets('a body through another stream', { body: 'hello', writes: 3 }, (response) => collect(response.body!.pipeThrough(new TransformStream()) as never)),
  gets('a body that is split', { body: 'hello', writes: 3 }, async (response) => {
    const [one, two] = response.body!.tee()
    return [await collect(one as never), await collect(two as never), response.bodyUsed, response.body!.locked]
  }),
  gets('a clone', { status: 201, reason: 'made', headers: [json], body: '{"a":1}' }, async (response) => {
    const clone = response.clone()
    return { same: clone === response, is: clone instanceof Response, head: headOf(clone), text: await clone.text(), json: await response.json(), used: [clone.bodyUsed, response.bodyUsed] }
  }),
  gets('a clone of a clone, read last', { body: 'hello', writes: 2 }, async (response) => {
    const clone = response.clone().clone()
    return [await response.text(), await clone.text()]
  }),
  gets('a clone without a body', { status: 204 }, async (response) => {
    const clone = response.clone()
    return [clone.status, clone.body, await clone.text()]
  }),
  gets('a clone of what has been read', hello, async (response) => {
    await response.text()
    return response.clone()
  }),
  gets('a clone while it is read', hello, async (response) => {
    const text = response.text()
    return [await outcomeOf(() => response.clone()), await text]
  }),
  gets('headers of a clone can\'t be changed', hello, (response) => outcomeOf(() => response.clone().headers.set('x-one', '1'))),
  gets('body after it has been read', hello, async (response) => {
    await response.text()
    return { locked: response.body!.locked, same: response.body === response.body, on: await outcomeOf(() => new Response(response.body)) }
  }),
]

const objects: readonly Case[] = [
  gets('is a Response', hello, async (response) => {
    await response.text()
    return [response instanceof Response, response.constructor === Response, Object.prototype.toString.call(response), JSON.stringify(response), Object.keys(response)]
  }),
  gets('shows what a Response shows', hello, (response) => {
    const names: string[] = []
    for (const name in response) names.push(name)
    return names.sort()
  }),
  gets('can\'t be written to', hello, (response) => outcomeOf(() => { (response as { status: number }).status = 3 }).then(() => response.status)),
  gets('in another Response', { status: 201, reason: 'made', headers: [json, ['x-one', '1']], body: '{}' }, async (response) => headAndText(new Response(response.body, response), undefined as never)),
  gets('in another Response without its body', { status: 201, headers: [['x-one', '1']] }, (response) => headOf(new Response('new', response))),
  gets('as it is printed', hello, (response) => {
    const text = inspect(response)
    return { status: text.includes('status: 200'), ok: text.includes('ok: true'), name: text.startsWith('Response {'), body: text.includes('ReadableStream'), type: text.includes("'basic'") }
  }),
  gets('still whole after it was printed', hello, async (response) => {
    inspect(response)
    return [response.bodyUsed, await response.text()]
  }),
  gets('to structuredClone()', hello, async (response) => {
    const outcome = await outcomeOf(() => structuredClone(response))
    return 'rejected' in outcome && (outcome.rejected as Error).name
  }),
  gets('to Response.prototype.clone', hello, (response) => outcomeOf(() => Response.prototype.clone.call(response)).then((outcome) => 'fulfilled' in outcome),
    undefined, 'code that looks for the private state of the platform\'s own class needs toResponse()'),
  gets('to the getters of Response.prototype', hello, (response) => outcomeOf(() => Reflect.getOwnPropertyDescriptor(Response.prototype, 'status')!.get!.call(response) as unknown)
    .then((outcome) => 'fulfilled' in outcome), undefined, 'code that looks for the private state of the platform\'s own class needs toResponse()'),
]

const [elsewhere, here]: readonly ((stage: Stage) => string)[] = [({ other }) => `${other}/echo`, () => '/echo']

const redirects: readonly Case[] = [
  ...[301, 302, 303, 307, 308].flatMap((status) => [
    follows(`${status} of GET`, status, here!),
    follows(`${status} of POST`, status, here!, { method: 'POST', body: 'abc', headers: { 'x-one': '1' } }),
    follows(`${status} of PUT`, status, here!, { method: 'PUT', body: new Uint8Array([1, 2]), headers: { 'content-type': 'a/b', 'content-language': 'de' } },
      status === 303 ? undefined : { 22: 'its platform does not send bytes a second time' }),
    follows(`${status} to another origin, with secrets`, status, elsewhere!, { headers: { 'authorization': 'Bearer t', 'cookie': 'a=1', 'proxy-authorization': 'x', 'x-one': '1' } }),
    follows(`${status}, manual`, status, here!, { redirect: 'manual' }),
    follows(`${status}, error`, status, here!, { redirect: 'error' }),
  ]),
  follows('of DELETE by 303', 303, here!, { method: 'DELETE' }),
  follows('of patch by 302', 302, here!, { method: 'patch', body: 'abc' }),
  follows('of parameters by 307', 307, here!, { method: 'POST', body: new URLSearchParams({ a: 'b' }) }),
  follows('of HEAD by 303', 303, here!, { method: 'HEAD' }),
  follows('of a Request', 302, here!),
  follows('with a fragment', 302, () => '/echo#new'),
  follows('relative to the path', 302, () => 'echo?a=b'),
  follows('of the query alone', 302, () => `?${encodeURIComponent(JSON.stringify({ body: 'here' }))}`),
  follows('to no URL', 302, () => 'http://['),
  follows('to ftp:', 302, () => 'ftp://127.0.0.1/'),
  follows('to data:', 302, () => 'data:,a'),
  follows('to nowhere', 302, () => ''),
  follows('to a name and a password', 302, ({ origin }) => `${origin.replace('http://', 'http://name:word@')}/echo`),
  follows('to a name and a password elsewhere', 302, ({ other }) => `${other.replace('http://', 'http://name:word@')}/echo`),
  follows('to a blocked port', 302, () => 'http://127.0.0.1:6000/'),
  follows('twice', 302, ({ origin }) => answering({ status: 307, headers: [['location', `${origin}/echo`]] }), { method: 'POST', body: 'abc' }),
  gets('a redirect without a location', { status: 302, body: 'moved' }),
  gets('300 with a location', { status: 300, headers: [['location', '/echo']], body: 'choose' }),
  gets('201 with a location', { status: 201, headers: [['location', '/echo']], body: 'made' }),
  gets('a packed redirect without a location', { status: 302, headers: [['content-encoding', 'gzip']], packed: ['gzip'], body: 'moved' }),
  other('redirect: a stream by 307', ({ fetch, origin }) =>
    fetch(`${origin}${answering({ status: 307, headers: [['location', '/echo']] })}`, { method: 'POST', body: streamOf('a'), duplex: 'half' })),
  other('redirect: a stream by 303', async ({ fetch, origin }) =>
    echoOf(await fetch(`${origin}${answering({ status: 303, headers: [['location', '/echo']] })}`, { method: 'POST', body: streamOf('a'), duplex: 'half' }))),
  other('redirect: headers that change meanwhile', async ({ fetch, origin }) => {
    const fields = { 'x-one': 'before' }
    const response = fetch(`${origin}${answering({ status: 302, headers: [['location', '/echo']] })}`, { headers: fields })
    fields['x-one'] = 'after'
    return echoOf(await response)
  }),
  other('redirect: a response of a redirect', async ({ fetch, origin }) => {
    const response = await fetch(`${origin}${answering({ status: 302, headers: [['location', '/echo?a#b']] })}`)
    return { redirected: response.redirected, url: response.url, clone: response.clone().redirected }
  }),
]

/** Each hop leads to the next, so many times. */
const hops = (count: number): string => {
  let path = '/echo'
  for (let hop = 0; hop < count; hop++) path = `/hop?${hop}&${path}`
  return path
}

const coded = (coding: string, packed: Answer['packed'] = [], rest: Answer = {}): Answer =>
  ({ headers: [plain, ['content-encoding', coding]], body: 'hello hello hello', packed, ...rest })

const encodings: readonly Case[] = [
  gets('gzip', coded('gzip', ['gzip'])),
  gets('x-gzip', coded('x-gzip', ['gzip'])),
  gets('GZIP', coded('GZIP', ['gzip'])),
  gets('deflate', coded('deflate', ['deflate'])),
  gets('deflate without its head', coded('deflate', ['raw deflate'])),
  gets('br', coded('br', ['br'])),
  gets('zstd', coded('zstd', ['zstd']), async (response) => [headOf(response), (await response.arrayBuffer()).byteLength]),
  gets('two codings', coded('deflate, gzip', ['deflate', 'gzip'])),
  gets('identity', coded('identity')),
  gets('an unknown coding', coded('shop')),
  gets('an unknown coding after a known one', coded('gzip, shop', ['gzip']), async (response) => (await response.arrayBuffer()).byteLength),
  gets('an empty content-encoding', coded('')),
  gets('gzip of nothing', coded('gzip', [], { body: '' })),
  gets('gzip that is none', coded('gzip'), async (response) => outcomeOf(() => response.text()).then((outcome) => 'rejected' in outcome)),
  gets('gzip that breaks off', coded('gzip', ['gzip'], { then: 'cut' }), async (response) => outcomeOf(() => response.text()).then((outcome) => 'rejected' in outcome)),
  gets('gzip of HEAD', coded('gzip', ['gzip']), headAndText, { method: 'HEAD' }),
  gets('gzip of 204', { status: 204, headers: [['content-encoding', 'gzip']] }),
  gets('gzip of 404', coded('gzip', ['gzip'], { status: 404 })),
  gets('gzip of POST', coded('gzip', ['gzip']), headAndText, { method: 'POST', body: 'abc' }),
  gets('too many codings', coded('gzip, gzip, gzip, gzip, gzip, gzip', ['gzip', 'gzip', 'gzip', 'gzip', 'gzip', 'gzip']), async () => 'a response'),
  gets('gzip of a megabyte', coded('gzip', ['gzip'], { times: 60_000 }), async (response) => (await response.text()).length),
  gets('gzip as a stream', coded('gzip', ['gzip'], { times: 1_000 }), (response) => collect(response.body as never)),
  gets('gzip in a clone', coded('gzip', ['gzip']), async (response) => [await response.clone().text(), await response.text()]),
]

const reason = new RangeError('enough')
const noForeignSignal = 'the platform takes no signal of another realm, such as that of a DOM for tests'
const lostReason = { 22: 'its platform puts an error of its own in the place of the reason' }

/** Aborts at a moment, with and without a reason of the caller's. */
const aborts = (name: string, find: (stage: Stage, abort: () => void, signal: AbortSignal) => unknown, rest?: Pick<Case, 'differsOn' | 'differsRoundabout'>): readonly Case[] => [
  ...[undefined, reason].map((given): Case => ({
    name: `abort: ${name}${given ? ', with a reason' : ''}`,
    find: (stage) => {
      const controller = new AbortController()
      return find(stage, () => controller.abort(given), controller.signal)
    },
    ...rest,
  })),
]

const aborted: readonly Case[] = [
  ...aborts('before the call', ({ fetch, origin }, abort, signal) => {
    abort()
    return fetch(`${origin}/echo`, { signal })
  }),
  ...aborts('before a call that is wrong', ({ fetch }, abort, signal) => {
    abort()
    return fetch('http://[', { signal })
  }),
  ...aborts('right after the call', ({ fetch, origin }, abort, signal) => {
    const response = fetch(`${origin}/echo`, { signal })
    abort()
    return response
  }),
  ...aborts('while the server thinks', async ({ fetch, origin, arrival }, abort, signal) => {
    const arrived = arrival()
    const response = outcomeOf(() => fetch(`${origin}${answering({ then: 'never' })}`, { signal }))
    await arrived
    abort()
    return response
  }),
  ...aborts('after the head', async ({ fetch, origin }, abort, signal) => {
    const response = await fetch(`${origin}${answering({ body: 'begun', then: 'hold' })}`, { signal })
    abort()
    return [await outcomeOf(() => response.text()), response.status]
  }, { differsOn: lostReason }),
  ...aborts('while the body is read whole', async ({ fetch, origin }, abort, signal) => {
    const response = await fetch(`${origin}${answering({ body: 'begun', then: 'hold' })}`, { signal })
    const text = outcomeOf(() => response.text())
    abort()
    return text
  }),
  ...aborts('while the body is read as a stream', async ({ fetch, origin }, abort, signal) => {
    const response = await fetch(`${origin}${answering({ body: 'begun', then: 'hold' })}`, { signal })
    const reader = response.body!.getReader()
    const { value } = await reader.read()
    const next = outcomeOf(() => reader.read())
    abort()
    return [Buffer.from(value!).toString(), await next, await outcomeOf(() => reader.closed)]
  }),
  ...aborts('while a clone is read', async ({ fetch, origin }, abort, signal) => {
    const response = await fetch(`${origin}${answering({ body: 'begun', then: 'hold' })}`, { signal })
    const [one, two] = [response.clone(), response].map((each) => outcomeOf(() => each.text()))
    abort()
    return [await one, await two]
  }),
  ...aborts('after all has come, before it is read', async ({ fetch, origin }, abort, signal) => {
    const response = await fetch(`${origin}${answering(hello)}`, { signal })
    abort()
    return outcomeOf(() => response.text())
  }, {
    differsOn: lostReason,
    differsRoundabout: 'the mesh takes its listener away when all has come: only its own responses can look at the signal once more',
  }),
  ...aborts('after the body was read', async ({ fetch, origin }, abort, signal) => {
    const response = await fetch(`${origin}${answering(hello)}`, { signal })
    const text = await response.text()
    abort()
    return [text, response.bodyUsed, response.status]
  }),
  ...aborts('of a Request', ({ fetch, origin }, abort, signal) => {
    const response = fetch(new Request(`${origin}/echo`, { signal }))
    abort()
    return response
  }),
  ...aborts('of a Request that was given another signal', async ({ fetch, origin }, abort, signal) => {
    const response = fetch(new Request(`${origin}/echo`, { signal }), { signal: new AbortController().signal })
    abort()
    return (await response).status
  }),
  ...aborts('by one of several signals', ({ fetch, origin }, abort, signal) => {
    const response = fetch(`${origin}/echo`, { signal: AbortSignal.any([signal, new AbortController().signal]) })
    abort()
    return response
  }),
  ...[null, false, 0, ''].map((falsy) => other(`abort: with ${JSON.stringify(falsy)} while the body is read`, async ({ fetch, origin }) => {
    const controller = new AbortController()
    const response = await fetch(`${origin}${answering({ body: 'begun', then: 'hold' })}`, { signal: controller.signal })
    const text = outcomeOf(() => response.text())
    controller.abort(falsy)
    return text
  }, 'the platform puts an error of its own in the place of a falsy reason')),
  other('abort: a signal aborted with null', ({ fetch, origin }) => fetch(`${origin}/echo`, { signal: AbortSignal.abort(null) })),
  other('abort: a signal of another realm', ({ fetch, origin }) => {
    const { signal } = new AbortController()
    const foreign = {
      get aborted() { return signal.aborted }, get reason(): unknown { return signal.reason },
      addEventListener: signal.addEventListener.bind(signal), removeEventListener: signal.removeEventListener.bind(signal),
    }
    return fetch(`${origin}/echo`, { signal: foreign }).then(({ status }) => status)
  }, { 24: noForeignSignal, 26: noForeignSignal }),
]

const failures: readonly Case[] = [
  gets('that never comes', { then: 'cut before' }),
  gets('that never comes, to POST', { then: 'cut before' }, headAndText, { method: 'POST', body: 'abc' }),
  gets('that breaks off', { headers: [['content-length', '100']], body: 'begun', then: 'cut' }, async (response) => [response.status, await outcomeOf(() => response.text())]),
  gets('that breaks off without a length', { body: 'begun', then: 'cut' }, async (response) => [response.status, await outcomeOf(() => response.json())]),
  gets('that breaks off while it streams', { headers: [['content-length', '100']], body: 'begun', then: 'cut' }, async (response) => {
    const reader = response.body!.getReader()
    const outcome = await outcomeOf(async () => { while (!(await reader.read()).done); })
    return [outcome, await outcomeOf(() => reader.closed)]
  }),
  other('response: from where nobody listens', ({ fetch, nobody }) => fetch(`${nobody}/a`)),
  other('response: to POST from where nobody listens', ({ fetch, nobody }) => fetch(`${nobody}/a`, { method: 'POST', body: 'a' })),
  other('redirect: twenty times', async ({ fetch, origin }) => (await fetch(`${origin}${hops(20)}`)).status),
  other('redirect: twenty-one times', ({ fetch, origin }) => fetch(`${origin}${hops(21)}`)),
]

/** Everything that is compared, in groups of the standard. */
export const cases: readonly Case[] = [
  ...methods, ...headers, ...bodies, ...urls, ...requests, ...options, ...statuses, ...heads, ...reading, ...streaming, ...objects, ...redirects,
  ...encodings, ...aborted, ...failures,
]
