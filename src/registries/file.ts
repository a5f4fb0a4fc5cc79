import { extname } from 'node:path'
import { z } from 'zod'
import { duration } from '../config/duration.ts'
import type { EndpointSpec } from '../core/endpoint.ts'
import { kind } from '../core/family.ts'
import { longestText, regularFile } from '../runtime/regular-file.ts'
import { WatchedFile } from '../runtime/watched-file.ts'
import type { Registry } from './registry.ts'
import { endpointSet } from './static.ts'

/** The text of such a file. Rejects with an `Error` that says why there is none. */
export const listText = async (path: string): Promise<string> => {
  const bytes = await regularFile(path, longestText)
  try {
    // Leaves a byte order mark out.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw new TypeError(`${path}: is not text in UTF-8`, { cause: error })
  }
}

/** Line and column of an offset, for messages. */
const placeAt = (text: string, at: number): string => {
  const before = text.slice(0, at).split('\n')
  return `${before.length}:${before.at(-1)!.length + 1}`
}

// What the parsers say may quote the file, so their errors are left out, not even kept as a cause.
const json = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (error) {
    const at = /position (\d+)/.exec((error as SyntaxError).message)?.[1]
    throw new TypeError(`${placeAt(text, at === undefined ? text.length : Number(at))}: is not JSON`)
  }
}

const yaml = async (text: string): Promise<unknown> => {
  // Loaded when first needed: who has no such file never pays for it.
  const { parse } = await import('yaml')
  try {
    return parse(text, { prettyErrors: false, stringKeys: true }) as unknown
  } catch (error) {
    throw new TypeError(`${placeAt(text, (error as { pos?: [number] }).pos?.[0] ?? 0)}: is not YAML`)
  }
}

const formats: Readonly<Record<string, (text: string) => unknown>> = { '.json': json, '.yaml': yaml, '.yml': yaml }

const formatOf = (path: string): ((text: string) => unknown) | undefined => {
  const ending = extname(path).toLowerCase()
  return Object.hasOwn(formats, ending) ? formats[ending] : undefined
}

/** Whether a file is read as YAML, by its ending. */
export const isYaml = (path: string): boolean => formatOf(path) === yaml

/** The endpoints that the text of such a file lists. Throws a `TypeError` with the place of the first fault. */
export const endpointsIn = async (path: string, text: string): Promise<readonly EndpointSpec[]> => {
  let list: unknown
  try {
    list = await formatOf(path)!(text)
  } catch (error) {
    throw new TypeError(`${path}:${(error as Error).message}`, { cause: error })
  }
  const { data, error } = endpointSet.safeParse(list)
  if (data) return data
  const [first, ...more] = error.issues
  const place = first!.path.map((key) => typeof key === 'number' ? `[${key}]` : `.${String(key)}`).join('')
  throw new TypeError(`${path}: ${place}${place && ': '}${first!.message}${more.length === 0 ? '' : ` (and ${more.length} more faults)`}`)
}

/** The path of a file that can be read. */
export const listPath = z.string().refine((path) => formatOf(path) !== undefined, `must end in ${Object.keys(formats).join(', ')}`)

/**
 * Endpoints in a JSON or YAML file: a list as `static` has it, which may be empty. Every change is taken over once the file stands still.
 * A file that is gone or has faults is a failure; what it listed last stays.
 */
export const file = kind('file', z.strictObject({
  path: listPath.describe('The file, .json, .yaml or .yml: a list of endpoints, as in a registry of type static.'),
  poll: duration.default(10_000)
    .describe('Time between looks at the file when the system tells of no change, as on many file systems of a network.'),
}), ({ path, poll }, { clock }): Registry => async function* ({ signal, wake, pace }) {
  pace?.(poll)
  const watched = new WatchedFile(path, () => listText(path), clock)
  const stop = (): void => watched.close()
  signal.addEventListener('abort', stop, { once: true })
  try {
    // One at a time: a rest that nobody waits for any more would swallow a look that is asked for.
    let rest: Promise<void> | undefined
    for (;;) {
      const { text, error } = await watched.settled()
      if (signal.aborted) return
      if (text === undefined) throw error
      yield await endpointsIn(path, text)
      rest ??= wake.wait(poll).then(() => { rest = undefined })
      await Promise.race([rest, watched.stirred()])
    }
  } finally {
    signal.removeEventListener('abort', stop)
    watched.close()
  }
})
