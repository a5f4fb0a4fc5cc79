import assert from 'node:assert/strict'
import type { z } from 'zod'
import { RequestHead, type RequestFields } from '../core/request.ts'
import { matcherTable, type MatcherKind } from '../matchers/matcher.ts'
import { limit, nodeRunner, type Runner } from './runner.ts'

/** What a kind promises for one way of writing its field. */
export interface MatcherExample<Input> {
  /** What is written under the field. */
  readonly config: Input
  readonly matches: readonly RequestHead[]
  readonly refuses: readonly RequestHead[]
  /** Single conditions it stands for. */
  readonly conditions: number
}

/** Examples of a kind: at least one that is good, and values that its schema refuses. */
export interface MatcherExamples<Input> {
  readonly good: readonly MatcherExample<Input>[]
  readonly bad: readonly unknown[]
}

/** Makes a request head for tests: `GET http://service.local/` but for the given fields. */
export const aRequest = (fields: Partial<RequestFields> = {}): RequestHead => new RequestHead({
  method: 'GET', scheme: 'http', host: 'service.local', port: 80, path: '/', headers: [], body: undefined, ...fields,
})

const long = 'x'.repeat(20_000)
const oddTexts = [
  '', ' ', '\0', '%', '%zz', '%e0%a4', '\uD800', '💥', '__proto__', 'constructor', '1e999', '-', '\r\n', ';=,&?#', long,
]
const oddPaths = ['', '*', '/', '//', '/..', '/%2e%2E/..', '/?', '/?&&==', `/${'../'.repeat(5_000)}`, `/?${'a&'.repeat(5_000)}`]

const junk: readonly RequestHead[] = [
  aRequest({ headers: ['lonely'] }),
  aRequest({ scheme: 'https', host: '[::1]', port: 65_535 }),
  aRequest({ host: '', port: 0 }),
  ...oddPaths.map((path) => aRequest({ path })),
  ...oddTexts.map((text) =>
    aRequest({ method: text, host: text, path: `/${text}?${text}=${text}`, headers: [text, text, 'x-a', text] })),
]

const written = ({ method, authority, path, headers }: RequestHead): string =>
  `${method} ${authority}${path} ${headers.join(' ')}`

const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Every variant of a config with one unknown key somewhere in it. */
const withUnknownKey = (config: unknown): readonly unknown[] => isPlainObject(config)
  ? [
      { ...config, 'no-such-option': true },
      ...Object.entries(config).flatMap(([key, value]) =>
        withUnknownKey(value).map((variant) => ({ ...config, [key]: variant }))),
    ]
  : []

/**
 * What every matcher must do, as tests: what the route table counts on, and what the examples say.
 * The runner is `node:test` by default; under Vitest pass `{ describe, test }` of `vitest`.
 */
export const aMatcher = <Field extends string, Schema extends z.ZodType>(
  kind: MatcherKind<Field, Schema>,
  examples: MatcherExamples<z.input<Schema>>,
  { describe, test }: Runner = nodeRunner(),
): void => {
  const { schema } = matcherTable(kind)
  const parsed = (config: unknown): unknown => (schema.parse({ [kind.field]: config }) as Record<string, unknown>)[kind.field]
  const make = (config: unknown) => kind.make(parsed(config) as z.output<Schema>)
  const refused = (config: unknown): boolean => !schema.safeParse({ [kind.field]: config }).success

  describe(`matcher '${kind.field}'`, () => {
    test('has examples', limit, () => {
      assert.ok(examples.good.length > 0 && examples.bad.length > 0)
      for (const { matches, refuses } of examples.good) assert.ok(matches.length > 0 && refuses.length > 0)
    })

    for (const { config, matches, refuses, conditions } of examples.good) {
      const words = JSON.stringify(config)

      test(`${words} matches what it should and nothing else`, limit, () => {
        const matcher = make(config)
        for (const request of matches) assert.ok(matcher.matches(request), `should match: ${written(request)}`)
        for (const request of refuses) assert.ok(!matcher.matches(request), `should refuse: ${written(request)}`)
      })

      test(`${words} gives the same answer again, whatever it was asked between`, limit, () => {
        const matcher = make(config)
        const requests = [...matches, ...refuses, ...junk]
        const first = requests.map((request) => matcher.matches(request))
        assert.deepEqual(requests.toReversed().map((request) => matcher.matches(request)).reverse(), first)
      })

      test(`${words} says in words why it refuses, without values of headers or of the query`, limit, () => {
        const matcher = make(config)
        for (const request of refuses) assert.match(matcher.explain(request), /\S/)
        const secret = 'not-for-anybody'
        const asked = aRequest({ path: `/?a=${secret}&x-a=${secret}`, headers: ['x-a', secret, 'a', secret] })
        assert.ok(!matcher.explain(asked).includes(secret))
      })

      test(`${words} answers junk with yes or no`, limit, () => {
        const matcher = make(config)
        for (const request of junk) {
          assert.equal(typeof matcher.matches(request), 'boolean')
          assert.equal(typeof matcher.explain(request), 'string')
        }
      })

      test(`${words} states its conditions and its rank as numbers that can be compared`, limit, () => {
        const matcher = make(config)
        assert.equal(matcher.conditions, conditions)
        assert.ok((matcher.rank ?? 0) >= 0)
      })

      test(`${words} means the same when its parsed form is parsed again`, limit, () => {
        assert.deepEqual(parsed(parsed(config)), parsed(config))
      })

      test(`${words} with an unknown key is refused, at any depth`, limit, () => {
        for (const variant of withUnknownKey(config)) assert.ok(refused(variant), JSON.stringify(variant))
      })
    }

    test('refuses the bad examples', limit, () => {
      for (const config of examples.bad) assert.ok(refused(config), JSON.stringify(config))
    })

    test('refuses a field beside its own', limit, () => {
      assert.equal(schema.safeParse({ [kind.field]: examples.good[0]?.config, 'no-such-field': 1 }).success, false)
    })

    test('refuses values of the wrong type without throwing', limit, () => {
      for (const config of [null, true, Number.NaN, Symbol('odd'), () => 1, [[]], { a: { b: [] } }, new Map(), 1n]) {
        assert.ok(refused(config), typeof config)
      }
    })
  })
}
