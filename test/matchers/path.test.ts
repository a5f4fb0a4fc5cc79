import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { normalPath, path, pathConfig } from '../../src/matchers/path.ts'
import { aMatcher, aRequest } from '../../src/testing/a-matcher.ts'

const at = (...paths: string[]) => paths.map((each) => aRequest({ path: each }))

aMatcher(path, {
  good: [
    {
      config: { exact: '/a' },
      matches: at('/a', '/a?x=1', '//a', '/./a', '/b/../a', '/%2e/a', '/b/%2E%2e/a', '/..\\a'),
      refuses: at('/a/', '/A', '/a/b', '/ab', '/', '/a%2f', '/?/a'),
      conditions: 1,
    },
    {
      config: { prefix: '/a' },
      matches: at('/a', '/a/', '/a/b', '/a?x', '/a/../a/b', '//a//b', '/a/b/..'),
      refuses: at('/ab', '/', '/b/a', '/a/../b', '/a/%2e%2e/b', '/a/..', '/a%2fb', '/a;b'),
      conditions: 1,
    },
    { config: { prefix: '/' }, matches: at('/', '/a', '//', '/?x'), refuses: at('*', ''), conditions: 1 },
    { config: { prefix: '/a/' }, matches: at('/a/', '/a/b'), refuses: at('/a', '/ab'), conditions: 1 },
    { config: { plainPrefix: '/a' }, matches: at('/a', '/ab', '/a/b', '/a?x'), refuses: at('/', '/b', '/a/../b'), conditions: 1 },
    {
      config: { regex: '/v[0-9]+/.*' },
      matches: at('/v1/', '/v22/items?x=1', '/x/../v1/a'),
      refuses: at('/v1', '/vx/', '/a/v1/', '/v1/../a'),
      conditions: 1,
    },
  ],
  bad: [
    '/a', {}, { exact: 'a' }, { exact: '' }, { prefix: '' }, { exact: '/a', prefix: '/a' }, { exact: '/a?x' }, { prefix: '/a#b' },
    { prefix: '/a/../b' }, { exact: '//a' }, { plainPrefix: '/a/.' }, { regex: '' }, { regex: '[' }, { regex: '(?=a)a' },
    { regex: '(a)\\1' }, { regex: '(?<!a)b' },
  ],
})

describe('normal form of a path', () => {
  const table: readonly (readonly [written: string, normal: string])[] = [
    ['/', '/'], ['/a', '/a'], ['/a/', '/a/'], ['/a.b', '/a.b'], ['/a..', '/a..'], ['/...', '/...'], ['/.a', '/.a'],
    ['//', '/'], ['///a', '/a'], ['/a//b///c/', '/a/b/c/'],
    ['/.', '/'], ['/./', '/'], ['/a/.', '/a/'], ['/a/./b', '/a/b'],
    ['/..', '/'], ['/../..', '/'], ['/../a', '/a'], ['/a/..', '/'], ['/a/b/..', '/a/'], ['/a/b/../', '/a/'], ['/a/../b', '/b'],
    ['/a//../b', '/a/b'],
    ['/%2e', '/'], ['/%2E%2e/a', '/a'], ['/a/.%2e/b', '/b'], ['/a/%2e./b', '/b'], ['/a%2eb', '/a.b'],
    ['/%252e%252e/a', '/%252e%252e/a'], ['/a%2fb', '/a%2fb'], ['/a%20b', '/a%20b'],
    ['/a\\..\\b', '/b'], ['*', '*'], ['', ''],
  ]
  for (const [written, normal] of table) it(`'${written}' is '${normal}'`, () => assert.equal(normalPath(written), normal))

  it('is its own normal form, has no dots left to resolve and no double slash, whatever was written', () => {
    const piece = fc.constantFrom('/', '//', '.', '..', '%2e', '%2E', '\\', 'a', '%2f', '%', 'é', '?')
    fc.assert(fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const normal = normalPath(`/${pieces.join('')}`)
      assert.equal(normalPath(normal), normal)
      assert.doesNotMatch(normal, /\/\/|\/\.\.?(\/|$)|%2e/i)
      assert.ok(normal.startsWith('/'))
    }))
  })

  it('agrees with the URL standard on paths without double slashes', () => {
    const piece = fc.constantFrom('.', '..', '%2e', '.%2E', 'a', 'b.c', '')
    fc.assert(fc.property(fc.array(piece, { maxLength: 12 }), (segments) => {
      const written = `/${segments.join('/')}`
      const standard = new URL(`http://h${written}`).pathname
      assert.equal(normalPath(written), standard.replace(/\/{2,}/g, '/'))
    }))
  })

  it('is found for very long paths', () => {
    assert.equal(normalPath(`/${'a/../'.repeat(100_000)}b`), '/b')
    assert.equal(normalPath('/'.repeat(500_000)), '/')
  })
})

describe('path condition', () => {
  it('refuses what only JavaScript calls a regular expression, with the reason', () => {
    const { error } = pathConfig.safeParse({ regex: '/a(?=b).*' })
    assert.deepEqual(error?.issues.map(({ path, message }) => [path, message]), [[
      ['regex'],
      "'/a(?=b).*' is not RE2 syntax: invalid or unsupported Perl syntax: `(?=`; lookaround and backreferences are not supported",
    ]])
  })

  it('says what to write in place of a path that can never match', () => {
    const { error } = pathConfig.safeParse({ prefix: '/a//b/../c' })
    assert.match(error!.issues[0]!.message, /write '\/a\/c'/)
  })

  it('says which of its ways were written when there are two', () => {
    const { error } = pathConfig.safeParse({ exact: '/a', regex: '/a' })
    assert.match(error!.issues[0]!.message, /exactly one of exact, prefix, plainPrefix, regex; exact and regex are written/)
  })

  it('ends on inputs that make backtracking engines hang', () => {
    for (const [source, input] of [['/(a+)+$', `/${'a'.repeat(50_000)}!`], ['/(x+x+)+y', `/${'x'.repeat(50_000)}`]] as const) {
      assert.equal(path.make(pathConfig.parse({ regex: source })).matches(aRequest({ path: input })), false)
    }
  })

  it('explains with the path as it was compared', () => {
    assert.equal(path.make({ prefix: '/a' }).explain(aRequest({ path: '/a/../b?token=x' })), "path '/b' is not under '/a'")
  })
})
