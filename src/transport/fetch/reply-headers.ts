const refuse = (): never => {
  throw new TypeError('immutable')
}

type HeadersClass = new (fields: [string, string][]) => Headers

// Made when first asked for: to read the platform's class loads Node's own undici, which sets the global dispatcher.
let immutable: HeadersClass | undefined

const immutableHeaders = (): HeadersClass => {
  class ImmutableHeaders extends Headers {
    override append = refuse
    override set = refuse
    override delete = refuse
  }
  Object.defineProperty(ImmutableHeaders.prototype, 'constructor', { value: Headers, configurable: true, writable: true })
  return ImmutableHeaders
}

/** The header fields of a reply as the platform shows those of a `Response`: they can't be changed. */
export const replyHeaders = (raw: readonly (string | Buffer)[]): Headers => {
  const fields: [string, string][] = []
  for (let i = 0; i < raw.length; i += 2) fields.push([latin1(raw[i]!), latin1(raw[i + 1]!)])
  immutable ??= immutableHeaders()
  return new immutable(fields)
}

const latin1 = (text: string | Buffer): string => typeof text === 'string' ? text : text.toString('latin1')
