import type { ClientRequest, IncomingMessage } from 'node:http'
import { z } from 'zod'
import { secret } from '../config/secret.ts'
import type { Cancel, Clock } from '../runtime/clock.ts'
import { tlsAdvice, type TlsMaterial } from './server-tls.ts'

/** Longest answer, or line of a stream, that is read, in bytes: far above what a registry says of one service. */
export const longestAnswer = 64 * 1024 * 1024
const longestQuote = 200

/** A server of a registry as a user writes it: an http or https URL with nothing but host, port and a path in front of all others. */
export const serverUrl = z.string().transform((text, ctx): string => {
  const url = URL.parse(text)
  const fault = !url || !/^https?:$/.test(url.protocol) || url.hostname === '' ? "is not the URL of a server: write it like 'http://10.0.0.2:8500'"
    : url.username !== '' || url.password !== '' ? 'holds credentials: leave them out, and use the options for them'
    : url.search !== '' || url.hash !== '' ? "has a query or fragment: write it like 'http://10.0.0.2:8500'"
    : undefined
  if (fault === undefined) return `${url!.origin}${url!.pathname.replace(/\/+$/, '')}`
  ctx.addIssue(fault)
  return z.NEVER
})

/** The options for a password where a registry asks for a user. */
export const serverUser = {
  user: z.string().min(1).optional().describe('The user to sign in as.'),
  password: secret.optional().describe('The password of `user`: { env } or { file }, read for each look.'),
}

/** One question to a server. */
export interface Question {
  /** Server and path: `http://10.0.0.2:8500/v1/health/service/pricing`. */
  readonly url: string
  readonly query?: URLSearchParams
  /** Sent as JSON. */
  readonly body?: object
  /** POST where there is a body, GET where there is none, by default. */
  readonly method?: 'PUT' | 'DELETE'
  readonly headers?: Readonly<Record<string, string>>
  readonly tls?: TlsMaterial
  readonly signal: AbortSignal
  readonly clock: Clock
  /** Milliseconds that the answer may take: all of it, or of a stream its head. */
  readonly timeout: number
  /** Statuses besides 200 that the asker knows what to do with; their bodies are not read. */
  readonly also?: readonly number[]
  /** Whether it waits for news, for which alone no process is kept alive. */
  readonly patient?: boolean
}

/** An answer that was read whole. */
export interface Answer {
  readonly status: number
  /** One header, by its name in lower case. */
  header(name: string): string | undefined
  /** The JSON of a 200; `undefined` with any other status. */
  readonly value: unknown
}

/**
 * Asks a server of a registry. Not with `fetch`: that goes wherever the application has pointed the process's dispatcher, which may be the mesh
 * that waits for the answer, and it knows no authorities and certificates of its own. Each question has a connection of its own,
 * so nothing outlives it. Throws an `Error` that names host and path, without query and headers.
 */
export const ask = async (question: Question): Promise<Answer> => {
  const exchange = new Exchange(question)
  try {
    const { statusCode: status = 0, headers } = await exchange.head()
    const value: unknown = status === 200 ? parseJson(await exchange.body(longestAnswer), question) : undefined
    return { status, value, header: (name) => [headers[name]].flat()[0] }
  } finally {
    exchange.close()
  }
}

/** Tells a server something: its status is 200, 204 or one of the others expected, and what it answers is not read. Throws like `ask`. */
export const tell = async (question: Question): Promise<number> => {
  const exchange = new Exchange({ ...question, also: [204, ...question.also ?? []] })
  try {
    return (await exchange.head()).statusCode ?? 0
  } finally {
    exchange.close()
  }
}

/**
 * Asks for a stream of JSON values, one a line, and says each as it comes, until the server has no more to say or `longest` milliseconds are over.
 * For one of the other statuses expected it says a `RefusedError`, and nothing else. Throws like `ask`.
 */
export async function* askLines(question: Question, longest: number): AsyncGenerator {
  const exchange = new Exchange(question)
  try {
    const { statusCode: status = 0 } = await exchange.head()
    if (status !== 200) {
      yield new RefusedError(status, `${placeOf(question)} answered ${status}`)
      return
    }
    exchange.endIn(longest)
    for await (const line of exchange.lines()) if (line.trim() !== '') yield parseJson(line, question)
  } finally {
    exchange.close()
  }
}

/** What is at fault when a server answers something unexpected: host and path. */
export const placeOf = ({ url }: Pick<Question, 'url'>): string => {
  const { host, pathname } = new URL(url)
  return `${host}${pathname}`
}

/** Takes an answer for what it should be. Throws an `Error` that says where it is not. */
export const shaped = <Shape extends z.ZodType>(shape: Shape, value: unknown, question: Pick<Question, 'url'>): z.output<Shape> =>
  shapedAt(shape, value, placeOf(question))

/** The same for an answer that was got in another way, from a place in words. */
export const shapedAt = <Shape extends z.ZodType>(shape: Shape, value: unknown, place: string): z.output<Shape> => {
  const { success, data, error } = shape.safeParse(value)
  if (success) return data
  const [{ path, message } = { path: [], message: '' }] = error.issues
  throw new Error(`${place} answered something unexpected${path.length > 0 ? ` at ${path.map(String).join('.')}` : ''}: ${message}`)
}

const parseJson = (text: string, question: Question): unknown => {
  try {
    return JSON.parse(text) as unknown
  } catch {
    // What JSON.parse says quotes the text, which may hold anything.
    throw new Error(`${placeOf(question)} answered what is not JSON: check that the URL leads to the registry itself`)
  }
}

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const over = new Error('it has taken as long as it may')

class Exchange {
  readonly #question: Question
  readonly #request: ClientRequest
  readonly #head: Promise<IncomingMessage>
  #response: IncomingMessage | undefined
  #cancelLimit: Cancel
  #ended: { readonly reason: unknown } | undefined
  readonly #stop = (): void => this.#end(this.#question.signal.reason)

  constructor(question: Question) {
    const { url, query, body, method, headers, tls, signal, clock, timeout, patient } = question
    signal.throwIfAborted()
    this.#question = question
    const whole = new URL(query ? `${url}?${query.toString()}` : url)
    const secure = whole.protocol === 'https:'
    // Not an import: that would read all that node:http exports, WebSocket too, which sets the process's dispatcher.
    const { request } = process.getBuiltinModule(secure ? 'node:https' : 'node:http')
    const content = body && JSON.stringify(body)
    this.#request = request(whole, {
      agent: false,
      method: method ?? (content === undefined ? 'GET' : 'POST'),
      headers: {
        accept: 'application/json',
        ...(content !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) }),
        ...headers,
      },
      ...(secure && tls),
    })
    this.#head = new Promise((resolve, reject) => {
      this.#request.once('response', resolve)
      this.#request.on('error', (error) => reject(this.#explain(error)))
    })
    this.#head.catch(() => {})
    if (patient) this.#request.once('socket', (socket) => socket.unref())
    this.#cancelLimit = clock.background(timeout, () => this.#end(new Error(`${placeOf(question)} did not answer within ${timeout} ms`)))
    signal.addEventListener('abort', this.#stop, { once: true })
    this.#request.end(content)
  }

  /** The head of the answer, of a status that is expected. */
  async head(): Promise<IncomingMessage> {
    const response = await this.#head
    this.#response = response
    // Whoever reads hears of it, and nobody else needs to.
    response.on('error', () => {})
    const status = response.statusCode ?? 0
    if (status === 200 || this.#question.also?.includes(status)) return response
    throw new RefusedError(status, `${placeOf(this.#question)} answered ${status}${await this.#quote()}`)
  }

  /** In place of the limit there was: it ends without a fault. */
  endIn(longest: number): void {
    this.#cancelLimit()
    this.#cancelLimit = this.#question.clock.background(longest, () => this.#end(over))
  }

  async body(limit: number): Promise<string> {
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of this.#chunks()) {
      size += chunk.length
      if (size > limit) throw this.#tooMuch(limit)
      chunks.push(chunk)
    }
    return Buffer.concat(chunks).toString('utf8')
  }

  async* lines(): AsyncGenerator<string> {
    let pieces: Buffer[] = []
    let size = 0
    for await (const chunk of this.#chunks()) {
      let from = 0
      for (let to = chunk.indexOf(10); to >= 0; to = chunk.indexOf(10, from)) {
        yield Buffer.concat([...pieces, chunk.subarray(from, to)]).toString('utf8')
        pieces = []
        size = 0
        from = to + 1
      }
      size += chunk.length - from
      if (size > longestAnswer) throw this.#tooMuch(longestAnswer)
      pieces.push(chunk.subarray(from))
    }
    const last = Buffer.concat(pieces).toString('utf8')
    if (this.#ended?.reason === over || last.trim() === '') return
    // The last line may lack its end, as what etcd's gateway says before it hangs up; or it is half a line.
    if (!isJson(last)) throw new Error(`${placeOf(this.#question)} ended its stream in the middle of a line`)
    yield last
  }

  async* #chunks(): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of this.#response!) yield chunk as Buffer
    } catch (error) {
      if (this.#ended?.reason !== over) throw this.#explain(error as Error)
    }
  }

  /** What a refusal says of its reason: its first words, on one line, and nothing that was a secret on the way there. */
  async #quote(): Promise<string> {
    const text = await this.body(64 * 1024).catch(() => '')
    const words = text.replace(/[^\x21-\x7e]+/g, ' ').trim().slice(0, longestQuote)
    return words === '' || repeats(text, this.#question) ? '' : `: ${words}`
  }

  #tooMuch(limit: number): Error {
    return new Error(`${placeOf(this.#question)} answered more than ${limit / 1024 / 1024} MiB at once`)
  }

  #explain(error: Error): unknown {
    if (this.#ended) return this.#ended.reason
    const { code } = error as NodeJS.ErrnoException
    const what = this.#response ? 'broke off its answer' : 'cannot be reached'
    const advice = tlsAdvice(code)
    return new Error(`${placeOf(this.#question)} ${what} (${code ?? error.message})${advice === undefined ? '' : `: ${advice}`}`, { cause: error })
  }

  #end(reason: unknown): void {
    this.#ended ??= { reason }
    const error = reason instanceof Error ? reason : new Error('it is not waited for any more')
    this.#request.destroy(error)
    this.#response?.destroy(error)
  }

  close(): void {
    this.#cancelLimit()
    this.#question.signal.removeEventListener('abort', this.#stop)
    this.#request.destroy()
  }
}

/** Whether a text has a word of what was sent, as it was sent, or as base64 (of a name and a password) or percent-encoding had it. */
const repeats = (text: string, { headers, body }: Pick<Question, 'headers' | 'body'>): boolean => {
  const sent = Object.values({ ...headers, ...body }).flatMap((value) => typeof value === 'string' ? value.split(' ') : [])
  const hidden = sent.flatMap((word) => Buffer.from(word, 'base64').toString('utf8').split(':'))
  const plain = text.replace(/%([0-9a-f]{2})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
  return [...sent, ...hidden].some((word) => word.length > 3 && (text.includes(word) || plain.includes(word)))
}

/** A server's answer with a status that nobody expected. */
export class RefusedError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.name = 'RefusedError'
    this.status = status
  }
}

/** The servers of a registry, any of which can answer. Begins with the one that answered last. */
export class Servers {
  readonly #urls: readonly string[]
  #first: number

  constructor(urls: readonly string[], first = 0) {
    this.#urls = urls
    this.#first = first
  }

  /** Asks one after another until one answers. Throws what the only one threw, or an `AggregateError` that repeats what each of them said. */
  async ask<T>(signal: AbortSignal, task: (url: string) => Promise<T>): Promise<T> {
    const failures: Error[] = []
    for (let turn = 0; turn < this.#urls.length; turn++) {
      const at = (this.#first + turn) % this.#urls.length
      try {
        const answer = await task(this.#urls[at]!)
        this.#first = at
        return answer
      } catch (error) {
        if (signal.aborted || this.#urls.length === 1) throw error
        failures.push(error as Error)
      }
    }
    throw new AggregateError(failures, failures.map(({ message }) => message).join('; '))
  }

  /** Begins with the next one: the one that answered last has broken off since. */
  next(): void {
    this.#first = (this.#first + 1) % this.#urls.length
  }
}
