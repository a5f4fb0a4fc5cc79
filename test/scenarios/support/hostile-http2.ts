import { ack, endHeaders, endStream, field, frame, frameTypes, numbers, padded, settingsFrame, type RawConnection } from './raw-http2.ts'

/*
 * What endpoints do that are broken, or mean harm, and what has to come of it. On the connection another request is under way, which the endpoint answers
 * afterwards if it still can; behind each row follows a request that has to be answered as if nothing had been.
 */

/** What comes of a request: the status and text of an answer, or the code of an error and what it says. */
export type Outcome = string | { readonly code: string, readonly says: RegExp }

/** What becomes of the connection: another request on it is answered, sent again, or broken, and the next one has a new one but where it stays. */
export type Fate = 'stays' | 'leaves' | 'disowns' | 'breaks'

/** What an endpoint does with a request. */
export interface Misdeed {
  readonly name: string
  readonly act: (connection: RawConnection, stream: number) => void
  readonly outcome: Outcome
  readonly connection: Fate
  /** `GET` where it says nothing. */
  readonly method?: 'POST' | 'HEAD'
  /** Whether nothing but the deadline ends it. */
  readonly silent?: true
}

const { data, headers, priority, reset, settings, promise, ping, goaway, window, continuation } = frameTypes

/** A head of some kilobytes that stands for one of 40 MB: one long field, and then its place in the table again and again. */
const bomb = ((): Buffer => {
  const rest = 4_000 - 127
  const long = Buffer.from([0x7f, 0x80 + rest % 128, rest >> 7])
  return Buffer.concat([Buffer.from([0x88, 0x40, 3]), Buffer.from('x-b'), long, Buffer.alloc(4_000, 'x'), Buffer.alloc(10_000, 0xbe)])
})()

type Bytes = (stream: number) => Buffer

/** Status 200, from the static table: RFC 7541, appendix A. */
const ok = Buffer.from([0x88])
const status = (value: string): Buffer => field(':status', value)
const text = (value: string): Buffer => Buffer.from(value)
const block = (...parts: readonly Buffer[]): Buffer => Buffer.concat(parts)
const times = (count: number, bytes: Buffer): Buffer => Buffer.concat(Array.from({ length: count }, () => bytes))

const head = (stream: number, fields: Buffer, flags = 0): Buffer => frame(headers, endHeaders | flags, stream, fields)
const body = (stream: number, content = 'ok', flags = endStream): Buffer => frame(data, flags, stream, text(content))
const answer = (stream: number, ...fields: readonly Buffer[]): Buffer => block(head(stream, block(...fields)), body(stream))
const farewell = (last: number, code = 0): Buffer => frame(goaway, 0, 0, numbers(last, code))
const promised = (stream: number): Buffer => frame(promise, endHeaders, stream, block(numbers(2), Buffer.from([0x82, 0x86, 0x84, 0x41, 1, 0x78])))
const most = 2 ** 31 - 1

const act = (bytes: Bytes): Misdeed['act'] => ({ socket }, stream) => { socket.write(bytes(stream)) }
const broken = (says: RegExp): Outcome => ({ code: 'ENMESH_CONNECTION_RESET', says })

// Node says no more than that.
const breaksRules = /ERR_HTTP2_ERROR, what the endpoint sent breaks the rules of HTTP\/2: (?:Protocol|Flow control) error/
const answered = /waited for an answer/
const tooManyInterim = /more than 100 interim answers \(1xx\) to one request/
const malformed = /NGHTTP2_PROTOCOL_ERROR, by the endpoint, or since its answer breaks the rules of HTTP\/2/

/** Breaks the connection, with all that is on it. */
const wrecks = (name: string, bytes: Bytes, says = breaksRules): Misdeed => ({ name, act: act(bytes), outcome: broken(says), connection: 'breaks' })
/** Breaks its own request and no other. */
const spoils = (name: string, bytes: Bytes, says = malformed): Misdeed => ({ name, act: act(bytes), outcome: broken(says), connection: 'stays' })
/** Ends the connection of its own accord. */
const ends = (name: string, how: Misdeed['act'], says = /the endpoint closed the connection/): Misdeed => ({ name, act: how, outcome: broken(says), connection: 'breaks' })
/** Is given up when its time is over. */
const silent = (name: string, bytes: Bytes, says: RegExp): Misdeed =>
  ({ name, act: act(bytes), outcome: { code: 'ENMESH_DEADLINE_EXCEEDED', says }, connection: 'stays', silent: true })
/** Does nothing about it, and is asked again, whatever the method. */
const leaves = (name: string, bytes: Bytes, connection: Fate): Misdeed => ({ name, act: act(bytes), outcome: '200 again', connection, method: 'POST' })
/** Is answered as if nothing were wrong. */
const passes = (name: string, bytes: Bytes, connection: Fate = 'stays'): Misdeed => ({ name, act: act(bytes), outcome: '200 ok', connection })

const frames: readonly Misdeed[] = [
  wrecks('a frame longer than may be', (stream) => frame(data, 0, stream, Buffer.alloc(16_385))),
  wrecks('data on stream 0', () => body(0)),
  wrecks('a head on stream 0', () => head(0, ok)),
  wrecks('a head on an even stream', () => head(2, ok, endStream)),
  wrecks('data on a stream that nobody opened', () => body(99)),
  wrecks('a head on a stream that nobody opened', () => head(99, ok)),
  wrecks('a reset of a stream that nobody opened', () => frame(reset, 0, 99, numbers(8))),
  wrecks('a reset of stream 0', () => frame(reset, 0, 0, numbers(8))),
  wrecks('a reset that is too short', (stream) => frame(reset, 0, stream, Buffer.alloc(3))),
  wrecks('a ping that is too short', () => frame(ping, 0, 0, Buffer.alloc(7))),
  wrecks('a ping on a stream', (stream) => frame(ping, 0, stream, Buffer.alloc(8))),
  wrecks('padding longer than the frame', (stream) => block(head(stream, ok), frame(data, padded, stream, Buffer.from([9, 1, 1])))),
  passes('a frame of a kind that nobody knows', (stream) => block(frame(0xfa, 0xff, stream, Buffer.alloc(100)), answer(stream, ok))),
  passes('a stream that depends on itself', (stream) => block(frame(priority, 0, stream, block(numbers(stream), Buffer.from([1]))), answer(stream, ok))),
  wrecks('settings on a stream', (stream) => frame(settings, 0, stream)),
  wrecks('settings cut short', () => frame(settings, 0, 0, Buffer.alloc(5))),
  wrecks('an acknowledgement with settings in it', () => frame(settings, ack, 0, Buffer.alloc(6))),
  wrecks('an acknowledgement of settings that nobody sent', (stream) => block(frame(settings, ack, 0), answer(stream, ok))),
  wrecks('settings with a window of 2^31', () => settingsFrame({ 4: 2 ** 31 })),
  wrecks('settings with frames below the minimum', () => settingsFrame({ 5: 16_383 })),
  wrecks('settings with push of 2', () => settingsFrame({ 2: 2 })),
  passes('settings that allow no more streams', (stream) => block(settingsFrame({ 3: 0 }), answer(stream, ok)), 'leaves'),
]

const heads: readonly Misdeed[] = [
  wrecks('data before the head', (stream) => block(body(stream, 'early', 0), answer(stream, ok))),
  spoils('two heads', (stream) => block(head(stream, ok), head(stream, ok), body(stream))),
  spoils('two final heads, of which the second ends', (stream) => block(head(stream, ok), body(stream, 'x', 0), head(stream, ok, endStream))),
  passes('a head behind the end', (stream) => block(answer(stream, ok), head(stream, ok))),
  passes('data behind the end', (stream) => block(answer(stream, ok), body(stream))),
  spoils('no status', (stream) => answer(stream, field('x-a', 'b'))),
  spoils('an empty head', (stream) => answer(stream)),
  spoils('two statuses', (stream) => answer(stream, ok, ok)),
  spoils('a status that is no number', (stream) => answer(stream, status('abc'))),
  spoils('a status of two digits', (stream) => answer(stream, status('20'))),
  spoils('a status of four digits', (stream) => answer(stream, status('2000'))),
  // Until Node 24 its library lets it pass.
  spoils('a status of 000', (stream) => answer(stream, status('000')), /NGHTTP2_PROTOCOL_ERROR|it answered 0, which HTTP\/2 has not/),
  { ...passes('a status of 999', (stream) => answer(stream, status('999'))), outcome: '999 ok' },
  spoils('a status with a sign', (stream) => answer(stream, status('+20'))),
  spoils('an empty status', (stream) => answer(stream, status(''))),
  spoils('a status behind other fields', (stream) => answer(stream, field('x-a', 'b'), ok)),
  spoils('a pseudo-field of requests', (stream) => answer(stream, ok, field(':path', '/'))),
  spoils('a pseudo-field that nobody knows', (stream) => answer(stream, ok, field(':x', 'y'))),
  spoils('an upgrade (101)', (stream) => answer(stream, status('101'))),
  spoils('an interim answer that ends the stream', (stream) => head(stream, status('103'), endStream)),
  wrecks('an interim answer, then data', (stream) => block(head(stream, status('103')), body(stream))),
  spoils('a name in capitals', (stream) => answer(stream, ok, field('X-Up', 'a'))),
  passes('a name with a space', (stream) => answer(stream, ok, field('x a', 'b'))),
  passes('an empty name', (stream) => answer(stream, ok, field('', 'b'))),
  passes('a value with a line break', (stream) => answer(stream, ok, field('x-a', 'b\r\nx-c: d'))),
  passes('a value with a null', (stream) => answer(stream, ok, field('x-a', 'b\0c'))),
  ...[['connection', 'close'], ['transfer-encoding', 'chunked'], ['keep-alive', 'timeout=5'], ['upgrade', 'h2c'], ['proxy-connection', 'close'], ['te', 'gzip']].map(([name, value]) =>
    spoils(`\`${name}\` in an answer`, (stream) => answer(stream, ok, field(name!, value!)))),
]

const lengths: readonly Misdeed[] = [
  spoils('fewer bytes than the length says', (stream) => answer(stream, ok, field('content-length', '5'))),
  wrecks('more bytes than the length says', (stream) => answer(stream, ok, field('content-length', '1'))),
  spoils('a length of no body, and none', (stream) => head(stream, block(ok, field('content-length', '5')), endStream)),
  spoils('two lengths', (stream) => answer(stream, ok, field('content-length', '2'), field('content-length', '3'))),
  spoils('one length twice', (stream) => answer(stream, ok, field('content-length', '2'), field('content-length', '2'))),
  spoils('a length that is no number', (stream) => answer(stream, ok, field('content-length', 'two'))),
  spoils('a length below zero', (stream) => answer(stream, ok, field('content-length', '-2'))),
  { ...wrecks('a body for HEAD', (stream) => answer(stream, ok)), method: 'HEAD', outcome: '200 ' },
  { ...wrecks('a body with 204', (stream) => answer(stream, status('204'))), outcome: '204 ' },
  { ...wrecks('a body with 304', (stream) => answer(stream, status('304'))), outcome: '304 ' },
]

const trailers: readonly Misdeed[] = [
  spoils('trailers with a pseudo-field', (stream) => block(head(stream, ok), body(stream, 'ok', 0), head(stream, ok, endStream))),
  spoils('trailers that do not end the stream', (stream) => block(head(stream, ok), body(stream, 'ok', 0), head(stream, field('x-a', 'b')))),
  spoils('trailers with capitals', (stream) => block(head(stream, ok), body(stream, 'ok', 0), head(stream, field('X-A', 'b'), endStream))),
]

const packed: readonly Misdeed[] = [
  wrecks('HPACK of an index that is not there', (stream) => head(stream, Buffer.from([0xff, 0xff, 0x7f]))),
  wrecks('HPACK of index 0', (stream) => head(stream, Buffer.from([0x80]))),
  wrecks('HPACK of a number without end', (stream) => head(stream, Buffer.alloc(64, 0xff))),
  wrecks('HPACK of a string that is longer than the block', (stream) => head(stream, block(ok, Buffer.from([0, 0x7f, 0xff, 0x7f]), text('x')))),
  wrecks('HPACK of broken Huffman code', (stream) => head(stream, block(ok, Buffer.from([0, 0x84, 0xff, 0xff, 0xff, 0xff, 1]), text('x')))),
  wrecks('HPACK of a table larger than may be', (stream) => head(stream, block(Buffer.from([0x3f, 0xff, 0xff, 0x7f]), ok))),
  spoils('a bomb of HPACK', (stream) => head(stream, bomb), /NGHTTP2_ENHANCE_YOUR_CALM, by the endpoint, or since the head of its answer is too large/),
  spoils('a head of 11 200 small fields', (stream) => block(
    frame(headers, 0, stream, ok), times(7, frame(continuation, 0, stream, times(1_600, field('x', 'y')))), frame(continuation, endHeaders, stream)), /NGHTTP2_ENHANCE_YOUR_CALM, by the endpoint, or since the head of its answer is too large/),
  wrecks('a flood of CONTINUATION', (stream) => block(frame(headers, 0, stream, ok), times(10_000, frame(continuation, 0, stream, field('x-a', 'b')))), /Too many CONTINUATION frames/),
  wrecks('a flood of empty CONTINUATION', (stream) => block(frame(headers, 0, stream, ok), times(10_000, frame(continuation, 0, stream))), /Too many CONTINUATION frames/),
  wrecks('CONTINUATION without a head', (stream) => frame(continuation, endHeaders, stream, ok)),
  wrecks('a head cut off by another frame', (stream) => block(frame(headers, 0, stream, ok), frame(ping, 0, 0, Buffer.alloc(8)))),
]

const windows: readonly Misdeed[] = [
  wrecks('WINDOW_UPDATE of 0 for a stream', (stream) => frame(window, 0, stream, numbers(0))),
  wrecks('WINDOW_UPDATE of 0 for the connection', () => frame(window, 0, 0, numbers(0))),
  wrecks('WINDOW_UPDATE past 2^31 for a stream', (stream) => frame(window, 0, stream, numbers(most))),
  wrecks('WINDOW_UPDATE past 2^31 for the connection', () => frame(window, 0, 0, numbers(most))),
  wrecks('WINDOW_UPDATE for a stream that nobody opened', () => frame(window, 0, 99, numbers(1))),
]

const floods: readonly Misdeed[] = [
  wrecks('a flood of interim answers', (stream) => times(10_000, head(stream, status('103'))), tooManyInterim),
  wrecks('a flood of leave to send a body', (stream) => times(10_000, head(stream, status('100'))), tooManyInterim),
  wrecks('a flood of pings', (stream) => block(times(20_000, frame(ping, 0, 0, Buffer.alloc(8))), answer(stream, ok)), /Flooding was detected/),
  wrecks('a flood of settings', (stream) => block(times(20_000, settingsFrame({ 3: 100 })), answer(stream, ok)), /Flooding was detected/),
  wrecks('a flood of empty data', (stream) => block(head(stream, ok), times(20_000, body(stream, '', 0)), body(stream)), /Too many invalid HTTP\/2 frames/),
  wrecks('a flood of priorities', (stream) => block(times(20_000, frame(priority, 0, stream, block(numbers(0), Buffer.from([1])))), answer(stream, ok))),
  passes('a flood of WINDOW_UPDATE', (stream) => block(times(20_000, frame(window, 0, stream, numbers(1))), answer(stream, ok))),
  wrecks('a flood of frames that nobody knows', (stream) => block(times(20_000, frame(0xfa, 0, 0)), answer(stream, ok))),
  spoils('a flood of resets', (stream) => times(10_000, frame(reset, 0, stream, numbers(8))), /the stream was cancelled before the answer was complete/),
  wrecks('a flood of GOAWAY', () => times(10_000, farewell(most)), /took its leave \(GOAWAY\) more than 10 times/),
]

const farewells: readonly Misdeed[] = [
  { ...wrecks('GOAWAY that first leaves a stream undone, and then does not', () => block(farewell(1), farewell(most))), outcome: '200 again' },
  wrecks('GOAWAY that names an even stream', (stream) => block(farewell(2), answer(stream, ok))),
  wrecks('GOAWAY too short', () => frame(goaway, 0, 0, numbers(1))),
  wrecks('GOAWAY on a stream', (stream) => frame(goaway, 0, stream, numbers(1, 0))),
  passes('GOAWAY above the stream, then an answer', (stream) => block(farewell(most), answer(stream, ok)), 'leaves'),
  passes('GOAWAY of the stream itself, then an answer', (stream) => block(farewell(stream), answer(stream, ok)), 'leaves'),
  leaves('GOAWAY below the stream', () => farewell(1), 'leaves'),
  leaves('GOAWAY below all streams', () => farewell(0), 'disowns'),
  leaves('GOAWAY below all streams, with an error', () => farewell(0, 11), 'disowns'),
  wrecks('GOAWAY with an error above the stream', () => farewell(most, 11), /the endpoint ended the connection \(GOAWAY with error code 11\)/),
  { ...silent('GOAWAY, then silence', () => farewell(most), answered), connection: 'leaves' },
]

const promises: readonly Misdeed[] = [
  wrecks('a promise', (stream) => block(promised(stream), answer(stream, ok))),
  wrecks('a promise and its answer, without a word to ours', (stream) => block(promised(stream), answer(2, ok))),
  wrecks('a promise on stream 0', () => frame(promise, endHeaders, 0, block(numbers(2), Buffer.from([0x82])))),
]

const resets: readonly Misdeed[] = [
  spoils('a reset behind the head', (stream) => block(head(stream, ok), frame(reset, 0, stream, numbers(0))), /the stream was ended before the answer was complete/),
  spoils('REFUSED_STREAM behind the head', (stream) => block(head(stream, ok), frame(reset, 0, stream, numbers(7))), /NGHTTP2_REFUSED_STREAM/),
]

const endings: readonly Misdeed[] = [
  silent('an answer without an end', (stream) => block(head(stream, ok), body(stream, 'half', 0)), /waited for the end of the body/),
  silent('an interim answer, and no other', (stream) => head(stream, status('103')), answered),
  silent('nothing at all', () => Buffer.alloc(0), answered),
  ends('a cut in the middle of a frame', ({ socket }, stream) => { socket.end(head(stream, ok).subarray(0, 5)) }),
  ends('a cut in the middle of a body', ({ socket }, stream) => { socket.end(block(head(stream, ok), body(stream).subarray(0, 10))) }),
  ends('a reset of the connection', ({ socket }) => { socket.resetAndDestroy() }, /ECONNRESET/),
  ends('an end of its side (half-close)', ({ socket }) => { socket.end() }),
  wrecks('HTTP/1.1 in between', () => text('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')),
  wrecks('noise', () => Buffer.alloc(1_000, 0xff)),
]

export const misdeeds: readonly Misdeed[] = [
  ...frames, ...heads, ...lengths, ...trailers, ...packed, ...windows, ...floods, ...farewells, ...promises, ...resets, ...endings,
]

/** What an endpoint sends in place of a preface, or with it. */
export interface Opening {
  readonly name: string
  readonly greet: (connection: RawConnection) => void
  readonly outcome: Outcome
  /** Whether nothing but `connectTimeout` ends it. */
  readonly silent?: true
}

const unconnected = (says: RegExp): Outcome => ({ code: 'ENMESH_CONNECT_FAILED', says })
const opens = (name: string, bytes: Buffer, says: RegExp): Opening => ({ name, greet: ({ socket }) => { socket.write(bytes) }, outcome: unconnected(says) })
const welcomes = (name: string, bytes: Buffer): Opening => ({ name, greet: ({ socket }) => { socket.write(bytes) }, outcome: '200 again' })
const leavesOpen = (name: string, bytes: Buffer, says: RegExp): Opening => ({ ...opens(name, bytes, says), silent: true })

const noHttp2 = /what it answered is not HTTP\/2 \(.+\); if it speaks HTTP\/1\.1, leave `http2` of the cluster out, and if it speaks TLS, set `tls: true`/
const noSettings = /connectTimeout of 2000 ms: it sent no settings of HTTP\/2/
const closes = /closed before it brought settings of HTTP\/2; if it speaks HTTP\/1\.1/

export const openings: readonly Opening[] = [
  opens('an answer of HTTP/1.1', text('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'), noHttp2),
  opens('an answer of HTTP/1.1 to something it read as a request', text('HTTP/1.1 505 HTTP Version Not Supported\r\n\r\n'), noHttp2),
  opens('noise', Buffer.alloc(1_000, 0xff), noHttp2),
  opens('an alert of TLS', Buffer.from([0x15, 3, 3, 0, 2, 2, 70, 0, 0]), noHttp2),
  opens('the banner of another protocol', text('220 mail.example.com ESMTP ready\r\n'), noHttp2),
  opens('the preface of clients', text('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), noHttp2),
  opens('a ping before the settings', block(frame(ping, 0, 0, Buffer.alloc(8)), settingsFrame({})), noHttp2),
  opens('an acknowledgement before the settings', frame(settings, ack, 0), noHttp2),
  opens('a head before the settings', head(1, ok), noHttp2),
  opens('settings on a stream', frame(settings, 0, 1), noHttp2),
  opens('settings of a length that they cannot have', frame(settings, 0, 0, Buffer.alloc(5)), noHttp2),
  opens('settings with a window of 2^31', settingsFrame({ 4: 2 ** 31 }), noHttp2),
  opens('settings with frames below the minimum', settingsFrame({ 5: 16_383 }), noHttp2),
  opens('settings with frames above the maximum', settingsFrame({ 5: 2 ** 24 }), noHttp2),
  opens('settings that would have the client push', settingsFrame({ 2: 1 }), noHttp2),
  leavesOpen('nothing', Buffer.alloc(0), noSettings),
  leavesOpen('half of the settings', settingsFrame({ 3: 100 }).subarray(0, 12), noSettings),
  leavesOpen('settings that allow no stream', settingsFrame({ 3: 0 }), /connectTimeout of 2000 ms: it allows no stream \(SETTINGS_MAX_CONCURRENT_STREAMS is 0\)/),
  { name: 'an end at once', greet: ({ socket }) => { socket.destroy() }, outcome: unconnected(/ECONNRESET|closed before it brought settings/) },
  { name: 'an end of its side at once (half-close)', greet: ({ socket }) => { socket.end() }, outcome: unconnected(closes) },
  { name: 'a reset at once', greet: ({ socket }) => { socket.resetAndDestroy() }, outcome: unconnected(/ECONNRESET/) },
  { name: 'a cut in the settings', greet: ({ socket }) => { socket.end(settingsFrame({ 3: 100 }).subarray(0, 12)) }, outcome: unconnected(closes) },
  welcomes('settings that nobody knows', settingsFrame({ 0xbad: 2 ** 32 - 1 })),
  welcomes('settings of the greatest values', settingsFrame({ 1: 2 ** 32 - 1, 3: 2 ** 32 - 1, 4: 2 ** 31 - 1, 5: 2 ** 24 - 1, 6: 2 ** 32 - 1 })),
  welcomes('settings that leave no table for HPACK', settingsFrame({ 1: 0 })),
]
