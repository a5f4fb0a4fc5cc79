import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { run } from '../../src/cli/program.ts'

/** What a command line came to. */
export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** The world of a command line in a test. */
export interface Around {
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: string
  readonly isTTY?: boolean
}

/** Runs a command line in this process. */
export const enmesh = async (args: readonly string[], { env = {}, stdin = '', isTTY = false }: Around = {}): Promise<Outcome> => {
  let [stdout, stderr] = ['', '']
  const code = await run(args, {
    stdout: { isTTY, write: (text) => { stdout += text } },
    stderr: { isTTY, write: (text) => { stderr += text } },
    env,
    stdin: () => Promise.resolve(stdin),
  })
  return { code, stdout, stderr }
}

/** A directory with files, gone after the test. */
export const folder = (t: TestContext, files: Readonly<Record<string, string | object>>): ((name: string) => string) => {
  const path = mkdtempSync(join(tmpdir(), 'enmesh-cli-'))
  t.after(() => { rmSync(path, { recursive: true }) })
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), typeof content === 'string' ? content : JSON.stringify(content, undefined, 2))
  return (name) => join(path, name)
}

const meshName = 'shop'
const listener = (port: number) => ({ portMapping: { port, protocol: 'http' } })

const route = (routeName: string, weights: Readonly<Record<string, number>>, more: object = {}, spec: object = {}) => ({
  meshName, virtualRouterName: 'pricing', routeName,
  spec: {
    ...spec,
    httpRoute: { match: { prefix: '/' }, action: { weightedTargets: Object.entries(weights).map(([virtualNode, weight]) => ({ virtualNode, weight })) }, ...more },
  },
})

/** A small mesh in the API's shape: gateway-node calls pricing in two versions. */
export const shop = () => ({
  mesh: { meshName },
  virtualServices: [
    { meshName, virtualServiceName: 'pricing.shop.local', spec: { provider: { virtualRouter: { virtualRouterName: 'pricing' } } } },
    { meshName, virtualServiceName: 'stock.shop.local', spec: { provider: { virtualNode: { virtualNodeName: 'stock' } } } },
  ],
  virtualRouters: [{ meshName, virtualRouterName: 'pricing', spec: { listeners: [listener(8080)] } }],
  routes: [
    route('canary', { 'pricing-v2': 1 }, { match: { prefix: '/', headers: [{ name: 'x-tenant', match: { exact: 'acme' } }] } }, { priority: 1 }),
    route('all', { 'pricing-v1': 90, 'pricing-v2': 10 }),
  ],
  virtualNodes: [
    ...['pricing-v1', 'pricing-v2', 'stock'].map((virtualNodeName) => ({
      meshName, virtualNodeName,
      spec: { listeners: [listener(8080)], serviceDiscovery: { dns: { hostname: `${virtualNodeName}.internal` } } },
    })),
    { meshName, virtualNodeName: 'gateway-node', spec: { backends: [{ virtualService: { virtualServiceName: 'pricing.shop.local' } }] } },
  ],
})

export { route }
