import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isPlain } from '../mesh/faults.ts'
import { remember } from '../mesh/sources.ts'
import { unusable } from './piece.ts'

let imports = 0

/**
 * What a module exports as its configuration: its default export or the export `config`; a function is called, and awaited.
 * The module is imported afresh each time, what it imports is not.
 */
export const readModule = async (file: string): Promise<unknown> => {
  const path = resolve(file)
  // CommonJS keeps its modules by path, whatever the query.
  delete createRequire(path).cache[path]
  const exported = await ran(file, () => import(`${pathToFileURL(path).href}?enmesh=${++imports}`))
  const main = chosen(exported)
  // CommonJS that was compiled from ESM wraps its exports once more.
  const config = chosen(main) ?? main
  const input: unknown = typeof config === 'function' ? await ran(file, async () => (config as () => unknown)()) : config
  // An empty file of CommonJS exports an empty object.
  if (!isPlain(input) || Array.isArray(input) || Object.keys(input).length === 0) {
    throw unusable('exports no configuration: `export default { services: { … } }`, or a function that returns it', { file })
  }
  remember(input, { place: { file } })
  return input
}

const chosen = (exported: unknown): unknown => {
  if (typeof exported !== 'object' || exported === null) return undefined
  const { default: main, config } = exported as { readonly default?: unknown, readonly config?: unknown }
  return main ?? config
}

const ran = async (file: string, run: () => Promise<unknown>): Promise<unknown> => {
  try {
    return await run()
  } catch (error) {
    throw unusable(`failed as it was run: ${error instanceof Error ? error.message : String(error)}`, { file, ...lineOf(error, file) }, error)
  }
}

/** Where in its own file an error came up, as far as its stack tells. */
const lineOf = (error: unknown, file: string): { readonly line?: number, readonly column?: number } => {
  const stack = error instanceof Error ? error.stack ?? '' : ''
  const path = resolve(file)
  for (const written of [pathToFileURL(path).href, path]) {
    for (const rest of stack.split(written).slice(1)) {
      const [, line, column = 1] = /^(?:\?enmesh=\d+)?:(\d+)(?::(\d+))?/.exec(rest) ?? []
      if (line !== undefined) return { line: Number(line), column: Number(column) }
    }
  }
  return {}
}
