import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import type { RunnableProxy } from '../../bench/proxy-process.ts'
import { createMesh, type MeshInput } from '../../src/index.ts'
import { runnable, throughProxy, Upstream, without, type Question } from './support.ts'

type Services = NonNullable<MeshInput['services']>
type RouteInput = Extract<Services[string], { routes: unknown }>['routes'][number]
type Match = NonNullable<RouteInput['match']>

const some = <Item>(...items: readonly Item[]): fc.Arbitrary<Item> => fc.constantFrom(...items)

const path = fc.oneof(
  some('/a', '/a/b', '/b', '/ab', '/').map((exact) => ({ exact })),
  some('/a', '/a/', '/a/b', '/').map((prefix) => ({ prefix })),
  some('/a', '/a/b', '/').map((plainPrefix) => ({ plainPrefix })),
  some('/a.*', '/[ab]+', '^/a/(?:b|c)$', '(?i)/A', '/(?P<uri>a)(?P<identity>/b)?', '/|/b', '.*').map((regex) => ({ regex })),
)

const words = some('a', 'ab', 'b', 'a b', "it's", '"', '{}', '$x', '\\', '%', 'a,b', ';#', '5', '[x]')

const onText = (regexes: readonly string[], invertible = true) => fc.tuple(
  fc.oneof(
    words.map((exact) => ({ exact })), some('a', 'it', '$').map((prefix) => ({ prefix })), some('b', "'s", '}').map((suffix) => ({ suffix })),
    ...regexes.length === 0 ? [] : [fc.constantFrom(...regexes).map((regex) => ({ regex }))], fc.boolean().map((present) => ({ present })), fc.constant({}),
  ),
  invertible ? some(undefined, true, false) : fc.constant(undefined),
).map(([condition, invert]) => ({ ...condition, ...(invert !== undefined && { invert }) }))

const regexes = ['^a', '[a-z ]+', 'a.*b', '.*', '^(?:a|5)$', '\\W+', '(?P<host>a)b', '[^&]+', 'a{1,2}\\b.*'] as const

const ranges = fc.tuple(some(-9, -6, 0, 5), some(-5, 6, 12, 100), fc.boolean()).filter(([start, end]) => start < end).map(([start, end, invert]) => ({ range: { start, end }, invert }))

/** Conditions that each proxy is said to have as the mesh has them. */
const match = (proxy: RunnableProxy): fc.Arbitrary<Match> => {
  const onHeader = proxy === 'haproxy' ? fc.oneof({ weight: 4, arbitrary: onText(regexes) }, { weight: 1, arbitrary: ranges }) : onText(regexes)
  const conditions = {
    path,
    method: fc.subarray(['GET', 'POST', 'PURGE', 'put'], { minLength: 1, maxLength: 2 }),
    port: some(80, 8080),
    host: fc.subarray(['*.test', 's1.test', 's2.test:8080', '*.test:80'], { minLength: 1, maxLength: 2 }),
    headers: fc.dictionary(some('x-a', 'X-Bee'), fc.oneof(onHeader, fc.array(onHeader, { minLength: 1, maxLength: 2 })), { minKeys: 1 }),
    // Expressions see what was sent, so they are for a parameter that is sent as it is.
    query: fc.oneof(fc.dictionary(some('q', 'a b', "it's[]"), onText([]), { minKeys: 1 }), onText(regexes).map((condition) => ({ raw: condition }))),
  } as const
  const names = Object.keys(conditions) as (keyof typeof conditions)[]
  // Few at once: what nothing meets compares nothing.
  return fc.subarray(names, { minLength: 1, maxLength: 2 }).chain((chosen) =>
    fc.record(Object.fromEntries(chosen.map((name) => [name, conditions[name] as fc.Arbitrary<unknown>]))).map((match) => structuredClone(match) as Match))
}

const services = 12
const host = (index: number): string => `s${index}.test`

/** The host that is sent tells which route was taken, and who answers which cluster. */
const definition = (proxy: RunnableProxy, one: string, two: string, seed: number): MeshInput => {
  // The mesh refuses routes that could never be taken.
  const routes = fc.uniqueArray(fc.record({ match: match(proxy), priority: some(undefined, undefined, 0, 1), to: some<RouteInput['to']>('one', 'two', { one: 0, two: 3 }, { one: 1, two: 1 }) }), { minLength: 2, maxLength: 7, comparator: (a, b) => a.priority === b.priority && isDeepStrictEqual(a.match, b.match) })
  const drawn = fc.sample(routes, { numRuns: services, seed })
  return {
    services: Object.fromEntries(drawn.map((each, index) => [index % 4 === 3 ? `${host(index - 1)}:8080` : host(index), {
      routes: each.map(({ priority, ...route }, place) => ({ ...route, ...(priority !== undefined && { priority }), name: `s${index}r${place}`, rewrite: { host: `s${index}r${place}.sent` } })) as RouteInput[],
    }])),
    clusters: { one: { registry: { type: 'static', endpoints: [one] } }, two: { registry: { type: 'static', endpoints: [two] } } },
    egress: 'deny',
  }
}

const encoded = (text: string): string => encodeURIComponent(text).replaceAll("'", '%27')

const queries = fc.array(fc.oneof(
  fc.tuple(some('q', 'a+b', 'a%20b', "it's[]", '%69t%27s%5B%5D', 'other', 'qq'), fc.oneof(words.map(encoded), words.map((word) => encoded(word).replaceAll('%20', '+')), some('%61', ''))).map((pair) => pair.join('=')),
  some('a', 'ab', '', 'a=b', '5', 'aaa', 'b;', '^a').map((value) => `raw=${value}`), some('q', 'raw', ''),
), { maxLength: 3 }).map((parts) => parts.join('&'))

const questions = (proxy: RunnableProxy): fc.Arbitrary<Question> => {
  const values = proxy === 'haproxy' ? fc.oneof({ weight: 3, arbitrary: words }, { weight: 2, arbitrary: some('', '-6', '-7', '-5', '+5', '005', '12', '1e1', '99999999999999999999') }) : words
  return fc.record({
    service: fc.nat(services - 1), port: some('', '', ':8080', ':9090'), method: some('GET', 'GET', 'POST', 'PUT', 'PURGE'),
    path: some('/', '/a', '/a/', '/a/b', '/a/c', '/ab', '/b', '/A', '//a//b', '/c%20d'), query: fc.option(queries, { nil: undefined }),
    headers: fc.dictionary(some('x-a', 'x-bee', 'X-A', 'x-c'), values, { maxKeys: 2 }),
  }).map(({ service, port, path, query, headers, method }) => ({
    method, url: `http://${host(service)}${port}${path}${query === undefined ? '' : `?${query}`}`,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
  }))
}

/** Who may get a request by the mesh's own account; nobody where no route is for it. */
const told = (mesh: ReturnType<typeof createMesh>, { url, ...init }: Question): { readonly host: string | undefined, readonly by: readonly string[] } => {
  const { route, clusters } = mesh.explain(url, init)
  return { host: route === undefined ? undefined : `${route}.sent`, by: clusters.filter(({ share }) => share > 0).map(({ name }) => name) }
}

const compare = async (t: TestContext, proxy: RunnableProxy, seed: number): Promise<void> => {
  const [one, two] = [await Upstream.start(t, 'one'), await Upstream.start(t, 'two')]
  const config = definition(proxy, one.address, two.address, seed)
  const mesh = createMesh(config)
  t.after(() => mesh.close())
  const way = await throughProxy(t, proxy, config)
  let taken = 0
  for (const question of fc.sample(questions(proxy), { numRuns: 300, seed })) {
    const wanted = told(mesh, question)
    const { status, asked } = await way(question)
    const which = (): string => `seed ${seed}: ${JSON.stringify(question)}\n${JSON.stringify(mesh.explain(question.url, question).routes)}\n${JSON.stringify(config.services, null, 1)}`
    assert.equal(asked?.host, wanted.host, which())
    if (asked) assert.ok(wanted.by.includes(asked.by), which())
    else assert.equal(status, 404, which())
    taken += Number(wanted.host !== undefined)
  }
  assert.ok(taken > 60, `only ${taken} requests find a route, which compares little`)
}

for (const proxy of runnable) {
  test(`${proxy} takes the routes that the mesh says it would take`, { skip: without[proxy] }, async (t) => {
    for (const seed of (process.env['PROXY_SEEDS'] ?? '1,2,3').split(',').map(Number)) await compare(t, proxy, seed)
  })
}
