import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readFileSync, watch } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { startArrangement } from '../../src/compare/arrangement.ts'
import { arrangements } from '../../src/compare/arrangements.ts'
import { Stage } from '../../src/compare/processes/stage.ts'
import { whyUnwritable } from '../../src/compare/report/report.ts'
import { sidecars } from '../../src/compare/sidecars/index.ts'
import { startSidecar } from '../../src/compare/sidecars/running.ts'
import { versionOf, whyMissing } from '../../src/compare/sidecars/sidecar.ts'
import { exampleSituation } from '../../src/compare/services.ts'
import { enmesh, folder } from '../cli/support.ts'

const serve = async (t: TestContext, listener: RequestListener): Promise<string> => {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => { server.close(); server.closeAllConnections() })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

const stageOf = (t: TestContext): Stage => {
  const stage = new Stage()
  t.after(() => stage.close())
  return stage
}

test('a first answer that goes on for ever, breaks off or leads elsewhere is refused, and nothing more is sent', { timeout: 60_000 }, async (t) => {
  let got = 0
  const address = await serve(t, (request, response) => {
    got++
    const more = (): void => { while (!response.destroyed && response.write(Buffer.alloc(65_536))); }
    switch (request.url) {
      case '/endless': response.on('drain', more); return more()
      case '/broken': response.writeHead(200, { 'content-length': 10 }); return void response.write('x', () => request.socket.resetAndDestroy())
      default: return void response.writeHead(302, { location: 'http://elsewhere.local/' }).end()
    }
  })
  const at = folder(t, { 'mesh.json': { services: { 'pricing.local': [address] } } })
  const refused = async (path: string): Promise<string> => {
    const { code, stderr } = await enmesh(['compare', at('mesh.json'), '--url', `http://pricing.local${path}`, '--out', at('report')])
    assert.deepEqual([code, existsSync(at('report'))], [2, false])
    return stderr
  }
  assert.match(await refused('/endless'), /\/endless: its answer is larger than 64 MiB/)
  assert.match(await refused('/broken'), /\/broken: its answer broke off: /)
  assert.match(await refused('/elsewhere'), /\/elsewhere: it answered 302 to a first call/)
  assert.equal(got, 3)
})

test('values of variables and queries are in no report, whoever quotes them, and bodies are counted in bytes', { timeout: 60_000 }, async (t) => {
  let got = 0
  const address = await serve(t, (request, response) => {
    // The first call and the first answer; whatever comes then fails, and the mesh says where.
    if (++got > 2) return void request.socket.resetAndDestroy()
    response.end('größer')
  })
  const at = folder(t, {
    'mesh.json': { services: { 'pricing.local': { cluster: '${CLUSTER}' } }, clusters: { 'hushhush-1': { registry: { type: 'static', endpoints: [address] } } } },
  })
  const { code, stderr, stdout } = await enmesh(['compare', at('mesh.json'), '--url', 'http://pricing.local/?q=hushhush', '--only', 'enmesh-fetch',
    '--requests', '5', '--rounds', '1', '--out', at('report')], { env: { CLUSTER: 'hushhush-1' } })
  assert.equal(code, 0, stderr)
  const [page, raw] = ['index.html', 'results.json'].map((name) => readFileSync(at(`report/${name}`), 'utf8'))
  assert.doesNotMatch(stdout + stderr + page! + raw!, /hushhush/)
  assert.match(raw!, /every request failed although the services were well: .*\$\{CLUSTER\}/)
  assert.match(raw!, /"bodyBytes": 8,/)
})

test('a directory in the way of a file of the report is found beforehand', async (t) => {
  const at = folder(t, {})
  mkdirSync(at('results.json'))
  assert.equal(await whyUnwritable(at('')), 'results.json in it is a directory')
  assert.equal(await whyUnwritable(at('new/deep')), undefined)
})

test('a proxy that does not do as proxies do is named, and is gone', async (t) => {
  const at = folder(t, { proxy: '#!/bin/sh\necho "<b>garbage</b>" >&2\nexit 3\n' })
  chmodSync(at('proxy'), 0o755)
  const fake = { ...sidecars.haproxy, name: at('proxy') as 'haproxy' }
  assert.match(whyMissing(fake)!, /cannot be run: '.*proxy -v' ended with 3$/)
  assert.equal(versionOf(fake), undefined)
  await assert.rejects(startSidecar(stageOf(t), fake, exampleSituation()), /HAProxy did not start: <b>garbage<\/b>/)
})

test('a client that does not come up leaves no proxy beside what is measured next', async (t) => {
  const haproxy = arrangements.find(({ id }) => id === 'haproxy-fetch')!
  if (whyMissing(haproxy.sidecar!) !== undefined) return t.skip(whyMissing(haproxy.sidecar!))
  const stage = stageOf(t)
  const pids: number[] = []
  const program = stage.program.bind(stage)
  stage.program = (...args) => {
    const started = program(...args)
    pids.push(started.pid)
    return started
  }
  await assert.rejects(startArrangement(stage, { ...haproxy, way: new URL('no-such-way.ts', import.meta.url).href }, exampleSituation(), '/'), /no-such-way/)
  assert.equal(pids.length, 1)
  assert.throws(() => process.kill(pids[0]!, 0), { code: 'ESRCH' })
})

test('nothing is started once all ends', async () => {
  const stage = new Stage()
  const directory = stage.directory()
  await stage.close()
  assert.equal(existsSync(directory), false)
  assert.throws(() => stage.directory(), /is over/)
  assert.throws(() => stage.program('sleep', ['1']), /is over/)
  await assert.rejects(stage.worker('processes/upstream-process'), /is over/)
})

test('a comparison that is killed leaves neither programs nor directories', { timeout: 60_000 }, async (t) => {
  const at = folder(t, {})
  const server = createTcpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => { server.close() })
  const killed = fork(new URL('killed-process.ts', import.meta.url), [String((server.address() as AddressInfo).port)], { env: { ...process.env, TMPDIR: at('') } })
  const [[socket], [directory]] = await Promise.all([once(server, 'connection') as Promise<[Socket]>, once(killed, 'message') as Promise<[string]>])
  const gone = new Promise<void>((resolve) => {
    const watcher = watch(at(''), () => {
      if (existsSync(directory)) return
      watcher.close()
      resolve()
    })
  })
  assert.equal(existsSync(directory), true)
  killed.kill('SIGKILL')
  await once(socket.on('error', () => {}).resume(), 'close')
  await gone
})
