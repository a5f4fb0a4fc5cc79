import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { FormData as UndiciFormData } from 'undici'
import type { RequestBody } from '../../src/core/request.ts'
import { settle } from '../../src/testing/index.ts'
import { requestBody, type BodyInput } from '../../src/transport/body.ts'

type Chunks = AsyncIterator<Uint8Array | string>

const limit = 10

const bodyOf = (input: unknown): RequestBody => requestBody(input as BodyInput, limit)!

/** Begins to read a streamed body, as an attempt does. */
const begin = (body: RequestBody): Chunks => (body.open() as AsyncIterable<string>)[Symbol.asyncIterator]()

/** Reads what is left, to the end. */
const rest = async (chunks: Chunks): Promise<string> => {
  let text = ''
  for (;;) {
    const { done, value } = await chunks.next()
    if (done) return text
    text += Buffer.from(value).toString()
  }
}

const whole = (body: RequestBody): Promise<string> => rest(begin(body))

/** A source whose second chunk comes when the test says so. */
const halting = (second: () => string) => {
  let go!: () => void
  const told = new Promise<void>((resolve) => { go = resolve })
  const source = async function* () {
    yield 'head '
    await told
    yield second()
    yield ' tail'
  }
  return { body: bodyOf(source()), go }
}

/** A source that counts how often it is let go, and may take that badly. */
const returning = (onReturn: () => void, key: symbol = Symbol.asyncIterator) => {
  const source = { returns: 0, [key]: () => ({
    next: () => ({ done: false, value: 'x' }),
    return: () => {
      source.returns++
      onReturn()
      return { done: true, value: undefined }
    },
  }) }
  return source
}

test('what comes while the body is held, however much, is kept for the next attempt', async () => {
  const { body, go } = halting(() => 'far more than the limit')
  const first = begin(body)
  assert.equal((await first.next()).value, 'head ')
  const pending = assert.rejects(async () => first.next(), /another attempt sends the body/)
  body.hold()
  go()
  await pending
  assert.equal(body.replayable, true)
  assert.equal(await whole(body), 'head far more than the limit tail')
  assert.equal(body.replayable, false)
})

test('a body that has outgrown the limit is refused to the next attempt, not gone on with from the middle', async () => {
  const { body, go } = halting(() => 'far more than the limit')
  const first = begin(body)
  await first.next()
  go()
  await first.next()
  assert.equal(body.replayable, false)
  const second = begin(body)
  await assert.rejects(async () => second.next(), /cannot be had again/)
  assert.ok(body.error instanceof TypeError)
})

test('a body within the limit is the same for each attempt, wherever the one before stopped', async () => {
  const body = bodyOf((async function* () { yield 'ab'; yield Buffer.from('cd'); yield 'ef' })())
  await begin(body).next()
  assert.equal(await whole(body), 'abcdef')
  assert.equal(await whole(body), 'abcdef')
})

test('a reader that another has superseded throws instead of ending', async () => {
  const body = bodyOf((async function* () { yield 'ab'; yield 'cd' })())
  const first = begin(body)
  await first.next()
  const second = begin(body)
  await assert.rejects(async () => rest(first), /another attempt sends the body/)
  assert.equal(await rest(second), 'abcd')
})

test('two readers share the read that is under way, and its chunk comes once', async () => {
  const { body, go } = halting(() => 'body')
  const first = begin(body)
  await first.next()
  const superseded = assert.rejects(async () => first.next(), /another attempt/)
  const second = whole(body)
  go()
  await superseded
  assert.equal(await second, 'head body tail')
})

test('a source that fails between two attempts fails the next one with its own error', async () => {
  const broken = new Error('source broke')
  const { body, go } = halting(() => { throw broken })
  const first = begin(body)
  await first.next()
  const pending = assert.rejects(async () => first.next())
  body.hold()
  go()
  await pending
  await assert.rejects(whole(body), (error) => error === broken)
  assert.equal(body.error, broken)
})

test('a source that fails without a reason has failed all the same', async () => {
  const body = bodyOf(new ReadableStream({ start: (controller) => { controller.error() } }))
  await assert.rejects(whole(body), /failed without a reason/)
  assert.match(String(body.error), /failed without a reason/)
})

test('a chunk that is neither string nor bytes is the source\'s failure', async () => {
  for (const chunk of [{ x: 1 }, 5, null, undefined]) {
    const body = bodyOf((async function* () { yield chunk })())
    await assert.rejects(whole(body), /must yield strings or bytes/)
    assert.ok(body.error instanceof TypeError)
  }
})

test('a stream that fails before anybody reads it ends no process, and fails whoever reads it', async () => {
  const broken = new Error('source broke')
  const stream = new Readable({ read() {} })
  const body = bodyOf(stream)
  stream.destroy(broken)
  await settle()
  await assert.rejects(whole(body), (error) => error === broken)
})

test('release lets go of the source once, whatever that throws', async () => {
  for (const key of [Symbol.asyncIterator, Symbol.iterator]) {
    const source = returning(() => { throw new Error('cannot let go') }, key)
    const body = bodyOf(source)
    const reader = begin(body)
    await reader.next()
    body.release()
    body.release()
    await settle()
    assert.equal(source.returns, 1)
    assert.equal(body.replayable, false)
    await assert.rejects(async () => rest(reader), /another attempt/)
  }
})

test('release lets no source go that has ended by itself', async () => {
  let returns = 0
  const body = bodyOf({ [Symbol.iterator]: () => ({ next: () => ({ done: true }), return: () => { returns++ } }) })
  assert.equal(await whole(body), '')
  body.release()
  assert.equal(returns, 0)
})

test('a synchronous iterable is read like a stream', async () => {
  const body = bodyOf(['ab', 'cd'])
  assert.equal(await whole(body), 'abcd')
  assert.equal(await whole(body), 'abcd')
})

test('what lies in memory can be sent any number of times, whatever its size', () => {
  const long = 'longer than the limit'
  for (const input of [long, Buffer.from(long), new Blob([long])]) {
    const body = bodyOf(input)
    assert.deepEqual([body.open(), body.open(), body.replayable], [input, input, true])
    body.hold()
    body.release()
    assert.equal(body.replayable, true)
  }
  const bytes = Uint8Array.of(1, 2, 3, 4)
  assert.deepEqual(bodyOf(bytes.buffer).open(), bytes)
  assert.deepEqual(bodyOf(new DataView(bytes.buffer, 1, 2)).open(), bytes.subarray(1, 3))
})

test('a form of any make becomes one that undici takes, with the same entries', () => {
  const form = new FormData()
  form.append('field', 'value')
  form.append('field', 'another')
  form.append('file', new Blob(['content'], { type: 'text/plain' }), 'name.txt')
  const made = bodyOf(form).open() as FormData
  assert.ok(made instanceof UndiciFormData)
  const [, , [, file]] = [...made] as unknown as [unknown, unknown, [string, File]]
  assert.deepEqual([made.getAll('field'), file.name, file.type, file.size], [['value', 'another'], 'name.txt', 'text/plain', 7])
  const own = new UndiciFormData() as unknown as FormData
  assert.equal(bodyOf(own).open(), own)
})

test('no body is none', () => {
  assert.deepEqual([requestBody(null, limit), requestBody(undefined, limit)], [undefined, undefined])
})
