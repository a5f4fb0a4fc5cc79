/** What came of something, as plain data that can be compared. */
export type Outcome = { readonly fulfilled: unknown } | { readonly rejected: unknown }

// Fields that a server's or a connection's mood decides on.
const moody = new Set(['connection', 'keep-alive', 'date'])

/** An error as far as callers may go by it; what lies below (`cause`) is each road's own. */
export const errorOf = (error: unknown): unknown =>
  error instanceof Error ? { name: error.name, message: error.message, code: (error as { code?: unknown }).code } : { thrown: error }

/** Awaits a task and tells what came of it. */
export const outcomeOf = async (task: () => unknown): Promise<Outcome> => {
  try {
    return { fulfilled: await task() }
  } catch (error) {
    return { rejected: errorOf(error) }
  }
}

/** Everything that a response says of itself without its body. */
export const headOf = (response: Response): object => ({
  status: response.status,
  statusText: response.statusText,
  ok: response.ok,
  redirected: response.redirected,
  type: response.type,
  url: response.url,
  headers: [...response.headers].filter(([name]) => !moody.has(name)),
})

/** What a server of ours says that it was sent. */
export const echoOf = async (response: Response): Promise<unknown> => {
  const { fields, ...rest } = await response.json() as { fields: Record<string, string> }
  return { ...rest, fields: Object.fromEntries(Object.entries(fields).filter(([name]) => !moody.has(name)).sort()) }
}
