/**
 * What runs the tests of a suite: `describe` and `test` of `node:test` (the default) or of Vitest.
 * For another runner write two functions that pass things on in its way.
 */
export interface Runner {
  /** Groups the tests that its body registers. */
  readonly describe: (name: string, body: () => void) => unknown
  /** Registers a test, which fails when its body throws, rejects, or takes longer than `timeout` milliseconds. */
  readonly test: (name: string, options: { readonly timeout: number }, body: () => void | Promise<void>) => unknown
}

// Not an import: whoever brings another runner shall not load this one, which reports to nobody there.
/** Node's own runner. */
export const nodeRunner = (): Runner => process.getBuiltinModule('node:test')

/** Longest that one test of a suite may take. */
export const limit = { timeout: 10_000 }
