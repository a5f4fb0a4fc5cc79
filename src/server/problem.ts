/** Says, in an answer that this process gives without the application, that it is enmesh's, and which of its codes. */
export const problemHeader = 'x-enmesh-error'

/** An answer that is no service's: a problem by RFC 9457. */
export interface Problem {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Makes one of what is to be said. */
export const problem = (status: number, title: string, code: string, detail: string): Problem => {
  const body = JSON.stringify({ type: 'about:blank', title, status, detail, code })
  return {
    status,
    headers: { 'content-type': 'application/problem+json', 'content-length': String(Buffer.byteLength(body)), 'cache-control': 'no-store', [problemHeader]: code },
    body,
  }
}
