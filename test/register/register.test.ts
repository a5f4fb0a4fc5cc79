import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename, dirname } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { directory, fileOf } from '../config-file/support.ts'
import { refused } from '../scenarios/support/upstream.ts'
import { root } from '../support/child.ts'
import { app, door, echoes, proxyServer, run, start, upstream } from './support.ts'

const service = (...addresses: readonly string[]): string => `services:\n  svc.test: ${JSON.stringify(addresses)}\n`

/** An upstream that is the service `svc.test`, another that is none, and the environment that says so. */
const world = async (t: TestContext, rest = '') => {
  const [inside, outside] = [await upstream(t, echoes('service')), await upstream(t, echoes('other'))]
  const config = fileOf(t, 'mesh.yaml', service(inside.address) + rest)
  return { inside, outside, config, env: { ENMESH_CONFIG: config } }
}

describe('an application that has never heard of enmesh', { concurrency: 2 }, () => {
  for (const name of ['ask.mjs', 'ask.cjs', 'ask.ts']) {
    test(`reaches services and other hosts with fetch, and ends by itself: ${name}`, async (t) => {
      const { outside, env, config } = await world(t)
      const { code, stdout, stderr } = await run(t, app(name), { env, args: ['http://svc.test/a?b', `${outside.url}/c`] })
      assert.equal(stdout, `service GET svc.test/a?b\nother GET ${outside.address}/c\n`)
      assert.equal(stderr, `enmesh: 1 service, 1 cluster from ${config}\n`)
      assert.equal(code, 0)
    })
  }

  test('reaches them with undici 6, 7 and 8', async (t) => {
    const { outside, env } = await world(t)
    const { stdout } = await run(t, app('undici.mjs'), { env, args: ['http://svc.test/', `${outside.url}/`] })
    const asked = ['undici6', 'undici7', 'undici8'].flatMap((name) => [`${name}.fetch`, `${name}.request`])
    assert.deepEqual(stdout.trim().split('\n'), [
      ...asked.map((name) => `${name} service GET svc.test/`),
      ...asked.map((name) => `${name} other GET ${outside.address}/`),
    ])
  })

  test('is meshed by NODE_OPTIONS as well, with the name of the package', async (t) => {
    const { env } = await world(t)
    const { stdout } = await run(t, app('ask.mjs'), {
      node: [], args: ['http://svc.test/'], cwd: root, env: { ...env, NODE_OPTIONS: '--conditions=enmesh:source --import=enmesh/register' },
    })
    assert.equal(stdout, 'service GET svc.test/\n')
  })

  test('posts bodies of every kind', async (t) => {
    const inside = await upstream(t, (request, response) => {
      const { 'content-type': type = 'none', 'content-length': length = 'none' } = request.headers
      request.once('data', (chunk: Buffer) => { response.end(`${type.split(';')[0]} ${length} ${chunk.length > 0}`) })
    })
    const { stdout } = await run(t, app('post.mjs'), { env: { ENMESH_CONFIG: fileOf(t, 'mesh.yaml', service(inside.address)) }, args: ['http://svc.test/'] })
    assert.match(stdout, /^text\/plain 4 true\napplication\/json 9 true\napplication\/x-www-form-urlencoded 3 true\nmultipart\/form-data \d+ true\nnone none true\n$/)
  })

  test('has its calls retried at another endpoint', async (t) => {
    const inside = await upstream(t, echoes('service'))
    const { stdout } = await run(t, app('ask.mjs'), {
      env: { ENMESH_CONFIG: fileOf(t, 'mesh.yaml', service(refused, inside.address)) }, args: Array<string>(4).fill('http://svc.test/'),
    })
    assert.equal(stdout, 'service GET svc.test/\n'.repeat(4))
  })

  test('sees what the mesh decides as a fetch that failed', async (t) => {
    const { outside, env } = await world(t, 'egress: deny\n')
    const { code, stdout } = await run(t, app('ask.mjs'), { env, args: [outside.url, 'http://svc.test/'] })
    assert.equal(stdout, 'TypeError: fetch failed, because of ENMESH_EGRESS_DENIED\nservice GET svc.test/\n')
    assert.equal(code, 0)
    assert.equal(outside.requests.length, 0)
  })

  test('is not meshed where its libraries open sockets of their own', async (t) => {
    const { outside, env } = await world(t, 'egress: deny\n')
    const { stdout } = await run(t, app('own-sockets.mjs'), { env, args: [outside.url] })
    assert.deepEqual(stdout.trim().split('\n'), [
      'node:http went out', 'got went out', 'axios went out', 'aws went out', 'axios with adapter fetch ERR_NETWORK, because of ENMESH_EGRESS_DENIED',
    ])
  })

  test('opens a WebSocket to another host', async (t) => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => { server.close() })
    server.on('upgrade', (request, socket) => {
      const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`)
      socket.write(Buffer.from([0x81, 2, 0x68, 0x69]))
      socket.on('error', () => {})
      socket.once('data', (frame: Buffer) => socket.end(Buffer.from([0x88, frame.length > 8 ? 2 : 0, ...frame.length > 8 ? [3, 0xe8] : []])))
    })
    const { env } = await world(t)
    const { stdout } = await run(t, app('websocket.mjs'), { env, args: [`ws://127.0.0.1:${(server.address() as AddressInfo).port}`] })
    assert.equal(stdout, 'heard hi\n')
  })

  test('waits for a call that is under way when it has nothing else to do', async (t) => {
    const inside = await upstream(t, () => {})
    const running = start(t, app('ask.mjs'), { env: { ENMESH_CONFIG: fileOf(t, 'mesh.yaml', service(inside.address)) }, args: ['http://svc.test/'] })
    running.end()
    await inside.arrived(1)
    inside.answer = echoes('late')
    inside.requests[0]!.socket.destroy()
    assert.equal(await running.ended, 0)
    assert.equal(running.stdout, 'late GET svc.test/\n')
  })

  test('may hold its mesh in its hands', async (t) => {
    const { env } = await world(t)
    const node = ['--conditions=enmesh:source', '--import', 'enmesh/register']
    const { code, stdout, stderr } = await run(t, app('aware.ts'), { node, env, cwd: root, args: ['http://svc.test/'] })
    assert.equal(stdout, 'service GET svc.test/\nsvc.test 1\n')
    assert.equal(stderr.match(/enmesh: /g)?.length, 1, stderr)
    assert.equal(code, 0)
  })
})

describe('threads and children', { concurrency: 2 }, () => {
  test('a worker thread is meshed too, without a word', async (t) => {
    const { env, config } = await world(t)
    const { stdout, stderr } = await run(t, app('thread.mjs'), { env, args: ['http://svc.test/'] })
    assert.equal(stdout, 'service GET svc.test/\nthe thread ended with 0\n')
    assert.equal(stderr, `enmesh: 1 service, 1 cluster from ${config}\n`)
  })

  test('workers of a cluster and forked children are meshed as their parent', async (t) => {
    const { env } = await world(t)
    const { stdout, stderr } = await run(t, app('cluster.cjs'), { env, args: ['http://svc.test/'] })
    assert.equal(stdout, 'service GET svc.test/\nservice GET svc.test/\n')
    assert.equal(stderr.match(/enmesh: 1 service/g)?.length, 3, 'each process tells of its own mesh')
  })
})

describe('what was there before', { concurrency: 2 }, () => {
  test("Node's own undici gets the hosts that are no services, as it would without a mesh", async (t) => {
    const { outside, env } = await world(t)
    const { stdout } = await run(t, app('whose.mjs'), { env, args: ['http://svc.test/', outside.url] })
    assert.equal(stdout, 'the package\nNode\n')
  })

  const before = (name: string): readonly string[] => ['--import', app(name), '--import', door]

  test('a mock gets the hosts that are no services', async (t) => {
    const { env } = await world(t)
    const { stdout } = await run(t, app('ask.mjs'), { node: before('preset-mock.mjs'), env, args: ['http://svc.test/', 'http://mock.test/'] })
    assert.equal(stdout, 'service GET svc.test/\nmocked\n')
  })

  test('a proxy gets the hosts that are no services', async (t) => {
    const { env } = await world(t)
    const proxy = await proxyServer(t)
    const { stdout } = await run(t, app('undici.mjs'), {
      node: before('preset-proxy.mjs'), env: { ...env, PROXY: proxy.url }, args: ['http://svc.test/', 'http://elsewhere.test/'],
    })
    assert.match(stdout, /^(undici\d\.\w+ service GET svc\.test\/\n){6}(undici\d\.\w+ proxied GET elsewhere\.test\/\n){6}$/)
  })

  test("so does the proxy of the environment, with Node's own switch for it", async (t) => {
    const { env } = await world(t)
    const proxy = await proxyServer(t)
    const { stdout } = await run(t, app('ask.mjs'), {
      env: { ...env, NODE_USE_ENV_PROXY: '1', HTTP_PROXY: proxy.url, http_proxy: proxy.url }, args: ['http://svc.test/', 'http://elsewhere.test/'],
    })
    assert.equal(stdout, 'service GET svc.test/\nproxied GET elsewhere.test/\n')
  })
})

describe('a global dispatcher that the application sets itself', { concurrency: 2 }, () => {
  // The fetch of Node 26 does not look where undici 6 puts one, with a mesh or without.
  const seen = process.versions.undici!.startsWith('8') ? ['undici7', 'undici8'] : ['undici6', 'undici7', 'undici8']
  for (const which of seen) {
    test(`an agent of ${which} takes undici's own calls out of the mesh, which is told, and leaves fetch in`, async (t) => {
      const { outside, env } = await world(t)
      const { stdout, stderr } = await run(t, app('own-dispatcher.mjs'), { env, args: [which, 'agent', 'http://svc.test/', `${outside.url}/`] })
      const there = `other GET ${outside.address}/`
      assert.equal(stdout, 'fetch service GET svc.test/\nRequest service GET svc.test/\nrequest failed: ENOTFOUND\n' +
        `fetch ${there}\nRequest ${there}\nrequest ${there}\n`)
      assert.match(stderr, /^enmesh: the application has set a global dispatcher of its own \(Agent\): .*\n$/m)
      assert.equal(stderr.match(/dispatcher of its own/g)?.length, 1, 'told once')
    })

    test(`a proxy of ${which} gets the hosts that are no services`, async (t) => {
      const { env } = await world(t)
      const proxy = await proxyServer(t)
      const { stdout } = await run(t, app('own-dispatcher.mjs'), {
        env: { ...env, PROXY: proxy.url }, args: [which, 'proxy', 'http://svc.test/', 'http://elsewhere.test/'],
      })
      assert.equal(stdout, 'fetch service GET svc.test/\nRequest service GET svc.test/\nrequest proxied GET svc.test/\n' +
        ['fetch', 'Request', 'request'].map((how) => `${how} proxied GET elsewhere.test/\n`).join(''))
    })

    test(`a mock of ${which} gets everything: nothing is sent`, async (t) => {
      const { inside, outside, env } = await world(t)
      const { stdout, stderr } = await run(t, app('own-dispatcher.mjs'), { env, args: [which, 'mock', 'http://svc.test/', `${outside.url}/`] })
      assert.equal(stdout, 'fetch mocked\nRequest mocked\nrequest mocked\n'.repeat(2))
      assert.doesNotMatch(stderr, /of its own/)
      assert.equal(inside.requests.length + outside.requests.length, 0)
    })

    test(`one of ${which} that is composed of the mesh's stays in its place`, async (t) => {
      const { inside, env } = await world(t)
      const { stdout, stderr } = await run(t, app('own-dispatcher.mjs'), { env, args: [which, 'composed', 'http://svc.test/'] })
      assert.equal(stdout, 'fetch service GET svc.test/\nRequest service GET svc.test/\nrequest service GET svc.test/\n')
      assert.deepEqual(inside.requests.map(({ headers }) => headers['x-by']), Array(3).fill('interceptor'))
      assert.doesNotMatch(stderr, /of its own/)
    })
  }

  test('one that a call or its Request brings along is used', async (t) => {
    const { env } = await world(t)
    const { stdout } = await run(t, app('bring-along.mjs'), { env, args: ['http://svc.test/'] })
    assert.equal(stdout, 'brought\nbrought\n')
  })
})

describe('the file of the configuration', { concurrency: 2 }, () => {
  const replace = (path: string, text: string): void => {
    writeFileSync(`${path}.new`, text)
    renameSync(`${path}.new`, path)
  }

  for (const name of ['on-demand.mjs', 'moves.mjs']) {
    test(`is taken over as it changes, and a bad one is not: ${name}`, async (t) => {
      const [one, two] = [await upstream(t, echoes('one')), await upstream(t, echoes('two'))]
      const path = fileOf(t, 'mesh.yaml', service(one.address))
      const running = start(t, app(name), { env: { ENMESH_CONFIG: 'mesh.yaml' }, cwd: dirname(path) })
      running.tell('http://svc.test/')
      await running.said('stdout', 'one GET svc.test/')
      replace(path, `${service(one.address)}egres: deny\n`)
      await running.said('stderr', /rejected/)
      running.tell('http://svc.test/still')
      await running.said('stdout', 'one GET svc.test/still')
      replace(path, `${service(two.address)}  more.test: ["${one.address}"]\n`)
      await running.said('stderr', / applied/)
      running.tell('http://svc.test/after')
      await running.said('stdout', 'two GET svc.test/after')
      running.end()
      assert.equal(await running.ended, 0)
      assert.deepEqual(running.stderr.replaceAll(dirname(path), '.').split('\n'), [
        'enmesh: 1 service, 1 cluster from mesh.yaml',
        "enmesh: mesh.yaml rejected, the configuration in use stays: ./mesh.yaml:3:1 egres: unknown key: did you mean 'egress'?",
        'enmesh: mesh.yaml applied: 2 added, 1 changed',
        '',
      ])
    })
  }

  test('says no more than its faults where it shall be quiet', async (t) => {
    const { inside, env, config } = await world(t)
    const running = start(t, app('on-demand.mjs'), { env: { ...env, ENMESH_QUIET: '1' } })
    running.tell('http://svc.test/')
    await running.said('stdout', 'service')
    replace(config, `${service(inside.address)}drain: 1s\n`)
    replace(config, 'services: 5\negress: 5\n')
    await running.said('stderr', 'rejected')
    running.end()
    await running.ended
    assert.match(running.stderr, /^enmesh: .*mesh\.yaml rejected, the configuration in use stays: \S*mesh\.yaml:1:1 services: .* \(and 1 more fault\)\n$/)
  })
})

describe('without a configuration that can be used', { concurrency: 2 }, () => {
  const faults: Readonly<Record<string, { readonly config: (t: TestContext) => string, readonly says: RegExp }>> = {
    'no variable': { config: () => '', says: /^enmesh: [^]*ENMESH_CONFIG: is not set: write the path .*\n$/ },
    'no file': { config: (t) => `${directory(t)}/mesh.yaml`, says: /^enmesh: [^]*mesh\.yaml: there is no such file\n$/ },
    'a fault of shape': { config: (t) => fileOf(t, 'mesh.yaml', 'services: 5\n'), says: /^enmesh: [^]*mesh\.yaml:1:1 services: .*\n$/ },
    'parts that do not fit': {
      config: (t) => fileOf(t, 'mesh.json', '{ "services": { "a.test": { "cluster": "a" } } }'), says: /^enmesh: [^]*mesh\.json:1:\d+ services.*no cluster 'a'/,
    },
    'another format': { config: (t) => fileOf(t, 'mesh.toml', 'a = 1'), says: /^enmesh: [^]*mesh\.toml: has the ending '\.toml'.*\n$/ },
  }
  for (const [title, { config, says }] of Object.entries(faults)) {
    test(`the application does not start: ${title}`, async (t) => {
      const { code, stdout, stderr } = await run(t, app('ask.mjs'), { env: { ENMESH_CONFIG: config(t), ENMESH_QUIET: '1' }, args: ['http://svc.test/'] })
      assert.equal(code, 1)
      assert.match(stderr, says)
      assert.doesNotMatch(stderr, /\n +at /, 'no stack')
      assert.equal(stdout, '')
    })
  }

  test('a worker thread fails with the error, and its parent goes on', async (t) => {
    const { env, config } = await world(t)
    const running = start(t, app('late-thread.mjs'), { env })
    await running.said('stdout', 'ready')
    writeFileSync(config, 'services: 5\n')
    running.tell('go')
    running.end()
    assert.equal(await running.ended, 0)
    assert.match(running.stdout, new RegExp(`the thread failed: .*${basename(config)}:1:1 services`))
  })
})
