import type { ToldFault } from './faults.ts'
import type { Paint } from './world.ts'

/** How a command may end: well, with faults in what it was given, wrongly asked, or with differences found (`diff --exit-code`). */
export const exit = { well: 0, faults: 1, usage: 2, differences: 3 } as const

/** What came of a command: said once for people and once for programs. */
export interface Result {
  readonly code: typeof exit[keyof typeof exit]
  readonly faults: readonly ToldFault[]
  /** Whether warnings are told one by one to people who asked for something else; those who want them all ask `check`. */
  readonly warnings: 'told' | 'counted'
  /** For people; empty where there is nothing to say beside the faults. */
  readonly text: (paint: Paint) => string
  /** For programs: what stands beside `ok` and `faults` in the JSON. */
  readonly data: Readonly<Record<string, unknown>>
  /** Values of environment variables that stood in what was read: shown by their names. */
  readonly withheld: ReadonlyMap<string, string>
}

/** Shows variables by their names in place of what they stand for. */
export const shownBy = (withheld: Result['withheld']) => (text: string): string =>
  [...withheld].sort(([, a], [, b]) => b.length - a.length).reduce((shown, [name, value]) => shown.replaceAll(value, () => `\${${name}}`), text)

/** What comes of a command that got nothing to work with. */
export const failed = (faults: readonly ToldFault[], withheld: Result['withheld']): Result =>
  ({ code: exit.faults, faults, warnings: 'told', text: () => '', data: {}, withheld })

/** Thrown where a command was asked for what it cannot do, with what to write instead. */
export class UsageError extends Error {}
