import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RE2JS } from 're2js'
import { AppMeshError, fromAppMesh } from '../../src/app-mesh/index.ts'
import { createMesh } from '../../src/index.ts'
import { read } from './support.ts'

const meshName = 'shop'

const documentWith = (regex: string) => ({
  mesh: { meshName },
  virtualServices: [{ meshName, virtualServiceName: 'a.local', spec: { provider: { virtualRouter: { virtualRouterName: 'r' } } } }],
  virtualRouters: [{ meshName, virtualRouterName: 'r', spec: {} }],
  routes: [{
    meshName,
    virtualRouterName: 'r',
    routeName: 'matched',
    spec: { httpRoute: { match: { headers: [{ name: 'x-v', match: { regex } }] }, action: { weightedTargets: [{ virtualNode: 'n', weight: 1 }] } } },
  }],
  virtualNodes: [{ meshName, virtualNodeName: 'n', spec: { listeners: [{ portMapping: { port: 80, protocol: 'http' } }], serviceDiscovery: { dns: { hostname: 'n.internal' } } } }],
})

const matches = async (regex: string, value: string): Promise<boolean> => {
  const { document } = await read(documentWith(regex))
  const mesh = createMesh(fromAppMesh(document))
  try {
    return mesh.explain('http://a.local/', { headers: { 'x-v': value } }).route === 'matched'
  } finally {
    await mesh.close()
  }
}

/** What JavaScript makes of it: finds it anywhere, or cannot read it. */
const inJavaScript = (regex: string, value: string): boolean | 'unreadable' => {
  try {
    return new RegExp(regex).test(value)
  } catch {
    return 'unreadable'
  }
}

/** An expression, a value, and whether Envoy matched it. */
const cases: readonly (readonly [regex: string, value: string, matched: boolean])[] = [
  ['blue', 'light blue', false],
  ['blue', 'blueish', false],
  ['a|ab', 'abc', false],
  ['redor', 'redorgreen', false],
  ['b*', 'a', false],
  ['[0-9]+', 'v12', false],
  ['1.2', '1.2.3', false],
  ['$', 'a', false],
  ['^a', 'ab', false],
  ['b$', 'ab', false],
  ['\\d{3}', '1234', false],
  ['v1|v2', 'xv2', false],
  ['(a|aa)', 'aaa', false],
  ['.', 'ab', false],
  ['(?i)blue', 'BLUE', true],
  ['(?i:b)lue', 'Blue', true],
  ['(?s).+', 'ab', true],
  ['(?U)a+', 'aaa', true],
  ['\\Ablue\\z', 'blue', true],
  ['\\Qa.b\\E', 'a.b', true],
  ['\\Qa.b\\E', 'axb', false],
  ['[[:alpha:]]+', 'abc', true],
  ['[[:digit:]]{2}', '42', true],
  ['[[:^digit:]]+', 'abc', true],
  ['[[:word:]]+', 'a_1', true],
  ['[[:space:]]', ':', false],
  ['\\pL+', 'abc', true],
  ['\\p{Lu}[a-z]+', 'Blue', true],
  ['\\PN', 'x', true],
  ['(?P<version>v[0-9])', 'v1', true],
  ['\\x{62}lue', 'blue', true],
  ['\\a|x', 'a', false],
  ['[[:xdigit:]]+', 'beef', true],
  ['[[:upper:]][[:lower:]]*', 'Blue', true],
]

test('expressions mean what they meant to Envoy: RE2, and the whole value', async () => {
  const differ = cases.filter(([regex, value, matched]) => inJavaScript(regex, value) !== matched)
  assert.ok(differ.length >= 30, `${differ.length}: ${JSON.stringify(cases.filter((one) => !differ.includes(one)))}`)
  for (const [regex, value, matched] of cases) {
    assert.equal(await matches(regex, value), matched, `${regex} and ${value}`)
    assert.equal(RE2JS.compile(regex).testExact(value), matched)
  }
})

for (const regex of ['a(?=b)', 'a(?!b)', '(?<=a)b', '(a)\\1', '(?<!a)b', '\\k<n>', 'a{1001}', '(?>a)', '[z-a]', '(']) {
  test(`what RE2 does not have is refused: ${regex}`, async () => {
    await assert.rejects(read(documentWith(regex)), (error: AppMeshError) =>
      error instanceof AppMeshError && error.faults[0]!.path === 'routes[0].spec.httpRoute.match.headers[0].match.regex')
  })
}
