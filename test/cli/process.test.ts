import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { describe, test, type TestContext } from 'node:test'
import { root } from '../support/child.ts'
import { folder, shop, type Outcome } from './support.ts'

const main = `${root}/src/cli/main.ts`
const noNetwork = `${root}/test/cli/no-network.ts`

/** Runs the command line as a shell would: a process with streams of its own. */
const enmesh = async (args: readonly string[], stdin = '', env: Readonly<Record<string, string>> = {}): Promise<Outcome> => {
  const { NODE_TEST_CONTEXT: _, ...inherited } = process.env
  const child = spawn(process.execPath, ['--import', noNetwork, main, ...args], { cwd: root, env: { ...inherited, ...env } })
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve(code ?? -1))
  })
  child.stdin.on('error', () => {})
  child.stdin.end(stdin)
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  return { code, stdout, stderr }
}

const files = (t: TestContext) => folder(t, {
  'shop.json': shop(),
  'broken.json': { ...shop(), virtualNodes: [{ meshName: 'shop', virtualNodeName: 'x', spec: { listners: [] } }] },
})

describe('the command line, as a process', { concurrency: 2 }, () => {
  test('ends with 0 where all is well, and says so on stdout', async (t) => {
    const { code, stdout, stderr } = await enmesh(['check', files(t)('shop.json')])
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /mesh 'shop': 2 virtual services, 1 virtual router, 2 routes, 4 virtual nodes\nno faults\n$/)
  })

  test('ends with 1 where there are faults, and tells them on stderr', async (t) => {
    const { code, stdout, stderr } = await enmesh(['check', files(t)('broken.json')])
    assert.equal(code, 1)
    assert.match(stderr, /^error: .*broken\.json:\d+:\d+, virtualNode x: virtualNodes\[0\]\.spec\.listners: unknown key: did you mean 'listeners'\?$/m)
    assert.match(stdout, /^\d+ errors?/)
  })

  for (const [args, said] of [
    [['chek'], /unknown command 'chek'\n\(Did you mean check\?\)/],
    [['check', '--jsn'], /unknown option '--jsn'\n\(Did you mean --json\?\)/],
    [['check'], /missing required argument 'files'/],
    [['diff', 'one'], /missing required argument 'new'/],
    [['explain', 'a.yaml'], /the last word is the URL/],
    [[], /Usage: enmesh/],
  ] as const) {
    test(`ends with 2 where it is wrongly called: ${args.join(' ') || 'without a word'}`, async () => {
      const { code, stdout, stderr } = await enmesh(args)
      assert.deepEqual([code, stdout], [2, ''])
      assert.match(stderr, said)
    })
  }

  test('prints its version, and help for each command, on stdout', async () => {
    const [version, ...helps] = await Promise.all([['--version'], ['--help'], ['check', '--help'], ['import', '-h'], ['explain', '-h'], ['diff', '-h']].map((args) => enmesh(args)))
    assert.deepEqual(version, { code: 0, stdout: '0.1.0\n', stderr: '' })
    for (const { code, stdout, stderr } of helps) {
      assert.deepEqual([code, stderr], [0, ''])
      assert.match(stdout, /^Usage: enmesh/)
    }
  })

  test('writes JSON and nothing else to stdout with --json, faults included', async (t) => {
    const { code, stdout, stderr } = await enmesh(['check', '--json', files(t)('broken.json')])
    assert.deepEqual([code, stderr], [1, ''])
    const { ok, faults } = JSON.parse(stdout) as { ok: boolean, faults: readonly { severity: string }[] }
    assert.equal(ok, false)
    assert.ok(faults.some(({ severity }) => severity === 'error'))
  })

  test('reads a definition from stdin', async () => {
    const { code, stdout } = await enmesh(['check', '-'], JSON.stringify(shop()))
    assert.equal(code, 0)
    assert.match(stdout, /^-: App Mesh, mesh 'shop'/)
  })

  test('explains without a look at the network', async (t) => {
    const { code, stdout, stderr } = await enmesh(['explain', files(t)('shop.json'), '--as', 'gateway-node', 'http://pricing.shop.local/'])
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /route {4}all/)
  })

  test('would be caught if it looked at the network', async () => {
    const child = spawn(process.execPath, ['--import', noNetwork, '--eval', "require('node:net').connect(9, '127.0.0.1').on('error', () => {})"])
    assert.match(await text(child.stderr), /NETWORK/)
  })

  test('ends quietly where its reader does', async (t) => {
    const big = shop()
    big.virtualNodes.push(...Array.from({ length: 4_000 }, (_, i) => ({ ...big.virtualNodes[0]!, virtualNodeName: `node-${i}` })) as typeof big.virtualNodes)
    big.virtualServices.push(...Array.from({ length: 4_000 }, (_, i) => ({
      meshName: 'shop', virtualServiceName: `s${i}.local`, spec: { provider: { virtualNode: { virtualNodeName: `node-${i}` } } },
    })))
    const path = folder(t, { 'big.json': big })('big.json')
    const child = spawn(process.execPath, [main, 'import', path], { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.once('data', () => child.stdout.destroy())
    const stderr = text(child.stderr)
    const code = await new Promise((resolve) => child.on('close', resolve))
    assert.deepEqual([code, await stderr], [0, ''])
  })
})
