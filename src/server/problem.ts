/** Says, in an answer that no service gives, that it is enmesh's, and which of its codes. */
const problemHeader = 'enmesh-error'

/** What tells kinds of problems apart (RFC 9457, section 3.1.1). */
export const problemType = (code: string): string => `urn:enmesh:error:${code}`

/** Header fields of a problem whose body has this many bytes. */
export const problemHeaders = (code: string, length: number): Readonly<Record<string, string>> => ({
  'content-type': 'application/problem+json', 'content-length': String(length), [problemHeader]: code, 'cache-control': 'no-store',
})

/** An answer that is no service's: a problem by RFC 9457. */
export interface ProblemAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Makes one of what is to be said. */
export const problemAnswer = (status: number, title: string, code: string, detail: string): ProblemAnswer => {
  const body = JSON.stringify({ type: problemType(code), title, status, detail, code })
  return { status, headers: problemHeaders(code, Buffer.byteLength(body)), body }
}
