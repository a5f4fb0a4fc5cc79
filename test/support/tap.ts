import { runNode } from './child.ts'

/** What came of the tests of a file: their names, and those that failed with what they failed with. */
export interface Results {
  readonly code: number | null
  readonly names: readonly string[]
  readonly failures: ReadonlyMap<string, string>
}

// Each test within a suite with what is said of it, up to the next one.
const withinSuites = /^ {4}(not ok|ok) \d+ - (.*)\n([\s\S]*?)(?=^ {0,4}(?:not ok|ok) )/gm

/** Runs a file of node:test whose tests stand in suites, in a process of its own. */
export const resultsOf = async (...args: readonly string[]): Promise<Results> => {
  const { code, output } = await runNode(['--test-reporter=tap', ...args])
  const results = [...output.matchAll(withinSuites)]
  return {
    code,
    names: results.map(([, , title]) => title!),
    failures: new Map(results.filter(([, word]) => word === 'not ok').map(([, , title, detail]) => [title!, detail!])),
  }
}
