import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Arrangement } from '../../src/compare/arrangement.ts'
import { arrangements as everywhere } from '../../src/compare/arrangements.ts'
import { cases } from '../../src/compare/cases.ts'
import { compare } from '../../src/compare/compare.ts'
import { faults } from '../../src/compare/faults/index.ts'
import { runFaults } from '../../src/compare/faults/run.ts'
import { measureClients } from '../../src/compare/happy.ts'
import { hasProc } from '../../src/compare/proc.ts'
import { serverPath, type Stage } from '../../src/compare/processes/stage.ts'
import { writeReport } from '../../src/compare/report/report.ts'
import type { Results } from '../../src/compare/results.ts'
import { exampleSituation, planCases } from '../../src/compare/services.ts'
import { summary } from '../../src/compare/summary.ts'
import { seededRandom } from '../../src/testing/index.ts'
import { enmesh, folder } from '../cli/support.ts'
import { withoutTool } from '../support/tool.ts'

const skip = hasProc() ? withoutTool('haproxy', 'apt-get install haproxy', serverPath, '-v') || withoutTool('nginx', 'apt-get install nginx-light', serverPath, '-v')
  : 'this system has no /proc'

const byHand: Arrangement = {
  id: 'by-hand', title: 'by hand', kind: 'by-hand', client: 'fetch', addresses: 'all', underFaults: true, how: 'by hand',
  way: new URL('../../bench/compare/by-hand.ts', import.meta.url).href,
}
const broken: Arrangement = { ...byHand, id: 'broken', title: 'broken', way: new URL('no-such-way.ts', import.meta.url).href }

const isThere = (pid: number): boolean => existsSync(`/proc/${pid}/stat`)

const lengths = { rounds: 1, warmUp: { requests: 20 }, settling: { requests: 10 }, counted: { requests: 100 } }

test('every arrangement is measured or says why not, in a case and a fault, and nothing of it is left', { skip, timeout: 240_000 }, async (t) => {
  const pids: number[] = []
  const watched = (stage: Stage): Stage => {
    const [worker, program] = [stage.worker.bind(stage), stage.program.bind(stage)]
    stage.worker = async (...args) => {
      const started = await worker(...args)
      pids.push(started.pid)
      return started as never
    }
    stage.program = (...args) => {
      const started = program(...args)
      pids.push(started.pid)
      return started
    }
    return stage
  }
  const random = seededRandom(1)
  const results = await compare({
    command: 'test', rounds: 1, seed: 1, arrangements: [...everywhere, byHand, broken], situation: exampleSituation(),
    async measure(stage, runnable) {
      const { planned } = await planCases(watched(stage), cases.filter(({ id }) => id === 'base' || id === 'mtls'))
      const clients = await measureClients(stage, runnable, planned, lengths, random, () => {})
      const some = runnable.filter(({ id }) => ['enmesh-fetch', 'haproxy-fetch', 'nginx-fetch', 'by-hand'].includes(id))
      const pace = { before: 200, during: 300, after: 300, stale: 100 }
      const faulted = await runFaults(stage, some, faults.filter(({ id }) => id === 'misconfigured' || id === 'weights'), { rounds: 1, pace, rate: 50, lanes: 4 }, random, () => {})
      assert.deepEqual([...faulted.broken], [])
      return { ...clients, faults: faulted.faults }
    },
  })

  assert.match(results.arrangements.find(({ id }) => id === 'broken')!.notRun!, /no-such-way/)
  for (const { id, notRun } of results.arrangements.filter(({ id }) => id !== 'broken')) {
    for (const { id: name, measured } of results.cases) {
      const rounds = measured.find(({ arrangement }) => arrangement === id)?.rounds
      if (notRun !== undefined) {
        assert.match(id, /^envoy/, notRun)
        assert.equal(rounds, undefined)
        continue
      }
      const [round] = rounds!
      assert.deepEqual([round!.requests, round!.failed], [100, 0], `${id}, ${name}`)
      assert.ok(round!.memory.application > 0 && round!.sockets.application > 0)
      assert.equal(round!.memory.proxy > 0, /^(haproxy|nginx|envoy)/.test(id), id)
    }
  }
  const runsOf = (id: string) => results.faults.find((fault) => fault.id === id)!.runs
  assert.deepEqual(runsOf('misconfigured').map(({ arrangement }) => arrangement), ['enmesh-fetch', 'haproxy-fetch', 'nginx-fetch', 'by-hand'])
  const refusals = Object.fromEntries(runsOf('misconfigured').map(({ arrangement, refusal, failed }) => [arrangement, [refusal !== undefined, failed > 0]]))
  assert.deepEqual(refusals, { 'enmesh-fetch': [true, false], 'haproxy-fetch': [true, false], 'nginx-fetch': [true, false], 'by-hand': [false, true] })
  assert.ok(runsOf('weights').every(({ slices }) => slices.at(-1)!.wrongVersion === 0), 'all calls go to v2 in the end')

  const directory = mkdtempSync(join(tmpdir(), 'compare-test-'))
  t.after(() => rmSync(directory, { recursive: true }))
  await writeReport(results, join(directory, 'deep'))
  assert.deepEqual(JSON.parse(readFileSync(join(directory, 'deep', 'results.json'), 'utf8')), results)
  const said = summary(results)
  for (const { title } of results.arrangements) assert.ok(said.includes(title), title)
  assert.match(said, /Not run: broken/)
  assert.ok(pids.length > 20)
  assert.deepEqual(pids.filter(isThere), [], 'processes that are left')
})

test('a user\'s own service is called as the definition says, and never more than allowed', { skip, timeout: 120_000 }, async (t) => {
  let [got, health] = [0, 0]
  const server = createServer(({ url }, response) => {
    if (url === '/price/42?secret=1') got++
    else health++
    response.end('{}')
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(() => { server.close(); server.closeAllConnections() })
  const at = folder(t, { 'mesh.json': { services: { 'pricing.local': [`127.0.0.1:${(server.address() as AddressInfo).port}`] } } })
  const { code, stdout, stderr } = await enmesh(['compare', at('mesh.json'), '--url', 'http://pricing.local/price/42?secret=1', '--only', 'enmesh-fetch', '--only', 'haproxy-request',
    '--only', 'by-hand', '--requests', '50', '--in-flight', '2', '--rounds', '2', '--out', at('report'), '--json'])
  assert.equal(code, 0, stderr)
  const { results } = JSON.parse(stdout) as { readonly results: Results }
  assert.deepEqual(results.cases[0]!.measured.map(({ arrangement, rounds }) => [arrangement, rounds.map(({ requests, failed }) => [requests, failed])]),
    [['enmesh-fetch', [[50, 0], [50, 0]]], ['haproxy-request', [[50, 0], [50, 0]]]])
  assert.deepEqual([results.faults, results.cases[0]!.bodyBytes, health], [[], 2, 0])
  assert.ok(got >= 200 && got <= 300, `${got} requests`)
  assert.doesNotMatch(stdout + stderr + readFileSync(at('report/index.html'), 'utf8'), /secret/)
})

test('what the definition does not know is not called, nor what does not answer well', async (t) => {
  const server = createServer((_, response) => { response.writeHead(404).end() })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(() => { server.close(); server.closeAllConnections() })
  const at = folder(t, { 'mesh.json': { services: { 'pricing.local': ['127.0.0.1:1'], 'empty.local': [`127.0.0.1:${(server.address() as AddressInfo).port}`] } } })
  const refused = async (...args: readonly string[]) => {
    const { code, stderr } = await enmesh(['compare', at('mesh.json'), ...args, '--out', at('report')])
    assert.equal(code, 2)
    assert.equal(existsSync(at('report')), false)
    return stderr
  }
  const notThere = async (...args: readonly string[]) => {
    const { code, stderr } = await enmesh(['compare', at('mesh.json'), '--url', 'http://empty.local/', ...args])
    assert.equal(code, 2)
    return stderr
  }
  assert.match(await notThere('--out', at('mesh.json')), /no report can be written to .*mesh\.json \(.* is a file\): name another/)
  assert.match(await notThere('--out', at('mesh.json/deeper')), /a part of it is a file|is a file/)
  assert.match(await refused('--url', 'http://other.local/x?y=secret'), /http:\/\/other\.local\/x: 'other\.local' is no service of this mesh/)
  assert.match(await refused('--url', 'http://me:hush@pricing.local/'), /no user and no password, and that of pricing\.local does\n$/)
  assert.match(await refused('--url', 'http://empty.local/x?y=secret'), /http:\/\/empty\.local\/x: it answered 404 to a first call/)
  assert.match(await refused('--url', 'http://pricing.local/'), /it gave no answer: ENMESH_CONNECT_FAILED/)
  assert.match(await refused(), /no URL is given/)
  assert.match(await refused('--url', 'pricing.local'), /It is written http:/)
  assert.match(await refused('--url', 'http://pricing.local/', '--only', 'haproxy'), /no arrangement 'haproxy': known here: direct-fetch/)
  assert.match(await refused('--url', 'http://pricing.local/', '--in-flight', '100000'), /whole number from 1 to 256/)
})
