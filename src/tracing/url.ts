import type { RequestHead } from '../core/request.ts'

const methods: ReadonlySet<string> = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'QUERY', 'TRACE'])

/** A method as the conventions have it: `_OTHER` for one that is not theirs, so that callers can't invent names of series. */
export const knownMethod = (method: string): string => methods.has(method) ? method : '_OTHER'

// What such a parameter holds opens doors: signatures of pre-signed URLs, tokens, keys, passwords, one-time codes.
const secret = /(?:^|[-_.])(?:sig(?:nature)?|token|secret|password|passwd|pwd|pass|key|apikey|accesskey|accesskeyid|awsaccesskeyid|auth|authorization|credentials?|code|jwt|session(?:id)?|sid|otp)$|(?:token|secret|password|apikey|accesskey|sessionid)/i

const redact = (query: string): string => query.split('&').map((pair) => {
  const equals = pair.indexOf('=')
  const name = equals < 0 ? pair : pair.slice(0, equals)
  return equals >= 0 && secret.test(decode(name)) ? `${name}=REDACTED` : pair
}).join('&')

// A name written in escapes is a name all the same; one that can't be read is taken as it stands.
const decode = (name: string): string => {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

/** A URL for readers of what is printed: without credentials, and with the values of secret parameters left out. */
export const redactedUrl = (url: URL): string => {
  const shown = new URL(url)
  shown.username = ''
  shown.password = ''
  if (shown.search !== '') shown.search = redact(shown.search.slice(1))
  return shown.href
}

/** Path and query of a request for readers of logs: with the values of secret parameters left out. */
export const redactedPath = ({ pathname, search }: RequestHead): string => search === '' ? pathname : `${pathname}?${redact(search)}`

/** The URL of a request for readers of traces: without credentials, and with the values of secret parameters left out. */
export const urlOf = (request: RequestHead): string => {
  return `${request.scheme}://${request.authority}${redactedPath(request)}`
}
