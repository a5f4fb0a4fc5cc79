import type { Socket } from 'node:net'
import type { Call } from '../../core/call.ts'
import type { Ending, Reply } from '../../core/reply.ts'
import { RequestHead, type RequestBody } from '../../core/request.ts'
import type { Layer } from '../../core/send.ts'
import type { AccessLogConfig } from './config.ts'
import type { Entry } from './entry.ts'
import type { LogFile } from './file.ts'
import { jsonFormat, lineFormat, operatorsIn } from './format.ts'

/**
 * Writes a line for each call once it is over, its body included, whatever became of it. Costs the call the line and never a
 * wait. Headers are only in it where the format names them; control characters in what came from outside are written as `\x0a`.
 */
export const accessLog = (config: AccessLogConfig, file: LogFile): Layer<Call> => {
  const write = 'json' in config ? jsonFormat(config.json) : lineFormat(config.format)
  const counts = ('json' in config ? Object.values(config.json) : [config.format])
    .some((format) => operatorsIn(format).some(({ name }) => name === 'BYTES_RECEIVED'))
  return (next) => (call) => {
    const asked = call.request
    const body = counts && asked.body ? new CountedBody(asked.body) : undefined
    if (body) call.request = new RequestHead({ ...fieldsOf(asked), body })
    let got: Reply | undefined
    call.onEnd((_, ending: Ending) => {
      const entry: Entry = { call, asked, reply: got, ending, sent: bytesOf(got) ?? (asked.body ? body?.read : 0) }
      file.add(write(entry))
    })
    return next(call).then((reply) => got = reply)
  }
}

const fieldsOf = ({ method, scheme, host, port, path, headers, hostHeader, upgrade, connection }: RequestHead) =>
  ({ method, scheme, host, port, path, headers, hostHeader, upgrade, connection })

/** What was written to a connection that changed over to another protocol, or is a bare one. */
const bytesOf = (reply: Reply | undefined): number | undefined => (reply?.socket as Partial<Socket> | undefined)?.bytesWritten

type Opened = ReturnType<RequestBody['open']>
type Chunks = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>

const isStream = (opened: Exclude<Opened, string | Uint8Array | Blob>): opened is Chunks =>
  (opened as { readonly [Symbol.toStringTag]?: string })[Symbol.toStringTag] !== 'FormData'

/** A body that knows how much of it the latest attempt has read. */
class CountedBody implements RequestBody {
  readonly #body: RequestBody
  /** Bytes; `undefined` for a form, whose length is known below alone. */
  read: number | undefined = 0

  constructor(body: RequestBody) {
    this.#body = body
  }

  get replayable(): boolean {
    return this.#body.replayable
  }

  get error(): unknown {
    return this.#body.error
  }

  open(): Opened {
    const opened = this.#body.open()
    this.read = 0
    if (typeof opened === 'string') this.read = Buffer.byteLength(opened)
    else if (opened instanceof Uint8Array) this.read = opened.byteLength
    else if (opened instanceof Blob) this.read = opened.size
    // Forms are undici's own, of which there are as many kinds as copies.
    else if (!isStream(opened)) this.read = undefined
    else return this.#counted(opened)
    return opened
  }

  async *#counted(chunks: Chunks): AsyncGenerator<Uint8Array | string> {
    for await (const chunk of chunks) {
      this.read! += typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.byteLength
      yield chunk
    }
  }

  hold(): void {
    this.#body.hold()
  }

  release(): void {
    this.#body.release()
  }
}
