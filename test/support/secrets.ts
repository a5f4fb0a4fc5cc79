import assert from 'node:assert/strict'
import { inspect } from 'node:util'

/** A secret that is unlike anything that is none, so that a search finds just that. */
export const mark = (what: string): string => `s3cret-${what}-${'q'.repeat(12)}`

/** What every mark begins with. */
const marks = 's3cret-'

/** Everything that a value would show, to `JSON.stringify` and to `inspect`. */
export const textsOf = (one: unknown): readonly string[] => {
  const met = new WeakSet()
  const plain = JSON.stringify(one, (_, value: unknown) => {
    if (typeof value === 'bigint') return String(value)
    if (typeof value !== 'object' || value === null) return value
    if (met.has(value)) return undefined
    met.add(value)
    // Fields of errors are not listed by themselves.
    return value instanceof Error ? { ...value, message: value.message, stack: value.stack, cause: value.cause } : value
  }) ?? ''
  return [plain, inspect(one, { depth: 12, showHidden: true, maxStringLength: null, maxArrayLength: null })]
}

/** Fails where one of the marks, or one of the other secrets, is in anything that was told; says where. */
export const assertNoSecrets = (told: Iterable<unknown>, others: readonly string[] = []): void => {
  for (const one of told) {
    for (const text of typeof one === 'string' ? [one] : textsOf(one)) {
      for (const secret of [marks, ...others]) {
        const at = text.indexOf(secret)
        assert.ok(at === -1, `${text.slice(at, at + 24)}… is in …${text.slice(Math.max(0, at - 200), at + 60)}…`)
      }
    }
  }
}

/** A line of a key that stands in no certificate. */
export const lineOf = (key: string): string => key.split('\n')[1]!
