import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { stringify } from 'yaml'
import { accessByKubeconfig, accessInCluster } from '../../src/registries/kube-access.ts'
import { kubernetes } from '../../src/registries/kubernetes.ts'
import type { Registry } from '../../src/registries/registry.ts'
import type { Runtime } from '../../src/runtime/runtime.ts'
import { aRegistry, fakeRuntime, settle } from '../../src/testing/index.ts'
import { authority } from '../support/authority.ts'
import { Queue } from '../support/queue.ts'
import { json, RegistryServer, status, troubles, type Asked } from '../support/registry-server.ts'
import { addressesOf, Watching } from '../support/watching.ts'

const folderOf = (t?: TestContext): string => {
  const folder = mkdtempSync(join(tmpdir(), 'enmesh-kube-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  if (t) t.after(remove)
  else process.once('exit', remove)
  return folder
}

interface Pod { readonly ip: string, readonly conditions?: object, readonly zone?: string, readonly uid?: string, readonly hints?: object }

const slice = (name: string, pods: readonly Pod[], more: object = {}): { metadata: { name: string, uid: string } } & Record<string, unknown> => ({
  addressType: 'IPv4',
  endpoints: pods.map(({ ip, uid = `uid-${ip}`, conditions = { ready: true, serving: true, terminating: false }, ...rest }) => ({
    addresses: [ip], conditions, nodeName: 'n1', targetRef: { kind: 'Pod', name: `pod-${ip}`, uid }, ...rest,
  })),
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  ...more,
  metadata: { name, uid: `uid-${name}` },
})

/** An API server that lists slices in pages, keeps the changes since a version that it has not forgotten, and tells them to those who watch. */
class ApiServer {
  readonly server: RegistryServer
  readonly watches = new Queue<Asked>()
  version = 100
  /** The oldest version from which it can be watched. */
  oldest = 0
  pageSize = 500
  readonly #slices = new Map<string, object>()
  readonly #history: { readonly version: number, readonly line: string }[] = []
  readonly #open = new Set<Asked>()

  private constructor(server: RegistryServer) {
    this.server = server
  }

  static async start(t?: TestContext): Promise<ApiServer> {
    const server: RegistryServer = await RegistryServer.start((asked) => api.#take(asked))
    const api = new ApiServer(server)
    t?.after(() => server.close())
    api.set(slice('a', [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }]))
    return api
  }

  #take(asked: Asked): void {
    const { query, response } = asked
    if (!query.has('watch')) return this.#list(asked)
    const from = Number(query.get('resourceVersion'))
    if (from < this.oldest) return status(asked, 410, JSON.stringify({ kind: 'Status', code: 410, message: 'too old resource version' }))
    response.writeHead(200)
    response.socket!.setNoDelay(true)
    response.flushHeaders()
    for (const { version, line } of this.#history) if (version > from) response.write(line)
    this.#open.add(asked)
    void asked.over.then(() => this.#open.delete(asked))
    this.watches.put(asked)
  }

  #list(asked: Asked): void {
    const at = Number(asked.query.get('continue') ?? 0)
    const all = [...this.#slices.values()]
    const next = at + this.pageSize
    json(asked, { metadata: { resourceVersion: String(this.version), continue: next < all.length ? String(next) : '' }, items: all.slice(at, next) })
  }

  #happen(type: string, object: { metadata: object }, size?: number): void {
    this.version++
    const line = `${JSON.stringify({ type, object: { ...object, metadata: { ...object.metadata, resourceVersion: String(this.version) } } })}\n`
    this.#history.push({ version: this.version, line })
    this.say(line, size)
  }

  /** Writes to everybody who watches, in pieces of a size. */
  say(line: string, size = Number.POSITIVE_INFINITY): void {
    const bytes = Buffer.from(line)
    for (const { response } of this.#open) for (let at = 0; at < bytes.length; at += size) response.write(bytes.subarray(at, at + size))
  }

  set(object: ReturnType<typeof slice>, size?: number): void {
    const known = this.#slices.has(object.metadata.name)
    this.#slices.set(object.metadata.name, { ...object, metadata: { ...object.metadata, resourceVersion: String(this.version + 1) } })
    this.#happen(known ? 'MODIFIED' : 'ADDED', object, size)
  }

  remove(name: string): void {
    this.#slices.delete(name)
    this.#happen('DELETED', slice(name, []))
  }

  bookmark(): void {
    this.say(`${JSON.stringify({ type: 'BOOKMARK', object: { kind: 'EndpointSlice', metadata: { resourceVersion: String(this.version) } } })}\n`)
  }

  /** Something happens elsewhere: time goes on without a word to those who watch. */
  pass(versions: number): void {
    this.version += versions
  }

  forget(): void {
    this.oldest = this.version
    this.#history.length = 0
  }

  end(): void {
    for (const { response } of this.#open) response.end()
  }

  kubeconfig(t?: TestContext): string {
    const path = join(folderOf(t), 'config')
    writeFileSync(path, stringify({
      'current-context': 'here',
      'contexts': [{ name: 'here', context: { cluster: 'c', user: 'u', namespace: 'shop' } }],
      'clusters': [{ name: 'c', cluster: { server: this.server.url } }],
      'users': [{ name: 'u', user: { token: 'k8s-s3cret' } }],
    }))
    return path
  }

  registry(t?: TestContext, config: object = {}): (runtime: Runtime) => Registry {
    const kubeconfig = this.kubeconfig(t)
    return (runtime) => kubernetes.make(kubernetes.config.parse({ service: 'pricing', kubeconfig, ...config }), runtime)
  }
}

const started = async (t: TestContext, config: object = {}) => {
  const api = await ApiServer.start(t)
  const watching = new Watching(api.registry(t, config))
  t.after(() => watching.close())
  return { api, watching }
}

const listedFor = async (t: TestContext, slices: readonly ReturnType<typeof slice>[], config: object = {}) => {
  const api = await ApiServer.start(t)
  api.remove('a')
  for (const one of slices) api.set(one)
  const watching = new Watching(api.registry(t, config))
  t.after(() => watching.close())
  return watching.next()
}

describe('kubernetes', () => {
  test('lists the slices of the Service and watches them from that version on', async (t) => {
    const { api, watching } = await started(t)
    assert.deepEqual(await watching.set(), ['10.0.0.1', '10.0.0.2'].map((ip) => (
      { id: `uid-${ip}`, address: `${ip}:8080`, metadata: { node: 'n1', pod: `pod-${ip}` } }
    )))
    const { headers, query } = await api.watches.take()
    const path = '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Dpricing'
    assert.deepEqual(api.server.log, [`${path}&limit=500`, `${path}&watch=1&allowWatchBookmarks=true&resourceVersion=101&timeoutSeconds=300`])
    assert.deepEqual([headers.authorization, query.get('resourceVersion')], ['Bearer k8s-s3cret', '101'])
  })

  test('reads a list of several pages', async (t) => {
    const api = await ApiServer.start(t)
    for (let at = 0; at < 5; at++) api.set(slice(`more-${at}`, [{ ip: `10.0.1.${at}` }]))
    api.pageSize = 2
    const watching = new Watching(api.registry(t))
    t.after(() => watching.close())
    assert.equal((await watching.set()).length, 7)
    assert.deepEqual(api.server.log.slice(0, 3).map((asked) => /continue=(\d+)/.exec(asked)?.[1]), [undefined, '2', '4'])
  })

  test('gives up a list that never ends', async (t) => {
    const api = await ApiServer.start(t)
    api.server.trouble = (asked) => json(asked, { metadata: { resourceVersion: '1', continue: 'more' }, items: [] })
    const watching = new Watching(api.registry(t))
    t.after(() => watching.close())
    assert.match((await watching.failure()).message, /endpointslices has more than 100 pages of slices: check that what stands before/)
    assert.equal(api.server.log.length, 100)
  })

  for (const size of [1, 9, 1_000]) {
    test(`hears of pods that come, change and go, in pieces of ${size} bytes`, async (t) => {
      const { api, watching } = await started(t)
      await watching.set()
      await api.watches.take()
      api.set(slice('b', [{ ip: '10.0.0.3', zone: 'Zürich' }]), size)
      assert.deepEqual(await watching.addresses(), ['10.0.0.1:8080', '10.0.0.2:8080', '10.0.0.3:8080'])
      api.set(slice('a', [{ ip: '10.0.0.2' }]), size)
      assert.deepEqual(await watching.addresses(), ['10.0.0.2:8080', '10.0.0.3:8080'])
      api.remove('b')
      api.remove('a')
      assert.deepEqual([await watching.addresses(), await watching.addresses()], [['10.0.0.2:8080'], []])
    })
  }

  test('takes those that are ready; where none is, those that serve while they terminate', async (t) => {
    const [ready, serving, neither] = [{ ip: '10.0.0.1', conditions: { ready: true } }, { ip: '10.0.0.2', conditions: { ready: false, serving: true, terminating: true } },
      { ip: '10.0.0.3', conditions: { ready: false, serving: false, terminating: true } }]
    const addresses = async (pods: readonly Pod[]) => {
      const came = await listedFor(t, [slice('s', pods)])
      return came instanceof Error ? came : addressesOf(came)
    }
    assert.deepEqual(await addresses([ready, serving, neither]), ['10.0.0.1:8080'])
    assert.deepEqual(await addresses([serving, neither]), ['10.0.0.2:8080'])
    assert.deepEqual(await addresses([neither]), [])
    assert.deepEqual(await addresses([{ ip: '10.0.0.4', conditions: {} }]), ['10.0.0.4:8080'])
  })

  test('a pod in several slices is one endpoint, by IPv4 if it can', async (t) => {
    const v6 = slice('v6', [{ ip: '2001:db8::1', uid: 'one' }, { ip: '2001:db8::2', uid: 'two' }], { addressType: 'IPv6' })
    const came = await listedFor(t, [v6, slice('v4', [{ ip: '10.0.0.1', uid: 'one' }]), slice('v4-again', [{ ip: '10.0.0.1', uid: 'one' }])])
    assert.deepEqual(came instanceof Error ? came : came.map(({ id, address }) => [id, address]), [['one', '10.0.0.1:8080'], ['two', '[2001:db8::2]:8080']])
  })

  test('zone and hints are metadata', async (t) => {
    const came = await listedFor(t, [slice('s', [{ ip: '10.0.0.1', zone: 'eu-1a', hints: { forZones: [{ name: 'eu-1a' }, { name: 'eu-1b' }] } }])], { tls: true })
    assert.deepEqual(came, [{
      id: 'uid-10.0.0.1', address: '10.0.0.1:8080', tls: true, metadata: { zone: 'eu-1a', node: 'n1', pod: 'pod-10.0.0.1', hints: 'eu-1a,eu-1b' },
    }])
  })

  test('the port goes by name or number, and must be told where there are several', async (t) => {
    const ports = [{ name: 'http', port: 8080, protocol: 'TCP' }, { name: 'grpc', port: 9090 }, { name: 'dns', port: 53, protocol: 'UDP' }]
    const found = async (port?: string | number, more: object = { ports }) => {
      const came = await listedFor(t, [slice('s', [{ ip: '10.0.0.1' }], more)], port === undefined ? {} : { port })
      return came instanceof Error ? came.message : addressesOf(came).join()
    }
    assert.equal(await found('grpc'), '10.0.0.1:9090')
    assert.equal(await found(8080), '10.0.0.1:8080')
    assert.match(await found(), /^the Service 'pricing' has several ports \(http 8080, grpc 9090\): write `port`/)
    assert.match(await found('admin'), /^the Service 'pricing' lists 1 and none has a host and a port/)
    assert.match(await found(9999), /^the Service 'pricing' lists 1 and none has a host and a port/)
    assert.equal(await found(7000, { ports: [] }), '10.0.0.1:7000')
    assert.equal(await found(undefined, { ports: [{ name: '', port: 80, protocol: 'TCP' }] }), '10.0.0.1:80')
  })

  test('a watch that ends goes on where it was, from the last bookmark, without another list', async (t) => {
    const { api, watching } = await started(t)
    await watching.set()
    await api.watches.take()
    api.pass(50)
    api.bookmark()
    // A change behind the bookmark proves that it was read.
    api.set(slice('b', [{ ip: '10.0.0.3' }]))
    await watching.set()
    api.pass(50)
    api.bookmark()
    api.end()
    await settle()
    await watching.clock.advance(1_000)
    const again = await api.watches.takeWhere(({ query }) => query.get('resourceVersion') !== '101')
    assert.equal(again.query.get('resourceVersion'), '202')
    api.set(slice('b', []))
    assert.deepEqual(await watching.addresses(), ['10.0.0.1:8080', '10.0.0.2:8080'])
    assert.deepEqual([api.server.log.filter((asked) => !asked.includes('watch')).length, watching.failures.length], [1, 0])
  })

  test('a version that was forgotten (410) is no failure: everything is listed again', async (t) => {
    const { api, watching } = await started(t)
    await watching.set()
    await api.watches.take()
    await watching.clock.advance(1_000)
    api.pass(10)
    api.forget()
    api.end()
    const refused = await api.server.asked.takeWhere(({ response, query }) => query.has('watch') && response.statusCode === 410)
    await refused.over
    await settle()
    await watching.clock.advance(1_000)
    assert.equal((await watching.set()).length, 2)
    assert.equal(watching.failures.length, 0)
    assert.equal((await api.watches.take()).query.get('resourceVersion'), '111')
  })

  test('an event that says 410 likewise', async (t) => {
    const { api, watching } = await started(t)
    await watching.set()
    await api.watches.take()
    await watching.clock.advance(1_000)
    api.say(`${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' } })}\n`)
    assert.equal((await watching.set()).length, 2)
    assert.equal(watching.failures.length, 0)
  })

  for (const [what, line, message] of [
    ['another error', '{"type":"ERROR","object":{"code":500,"message":"etcd is slow"}}\n', /endpointslices ended the watch: etcd is slow$/],
    ['garbage', '<html>\n', /endpointslices answered what is not JSON/],
    ['another object', '{"type":"ADDED","object":{"kind":"Pod"}}\n', /endpointslices answered something unexpected at metadata/],
  ] as const) {
    test(`a watch that says ${what} is a failure, and everything is listed again`, async (t) => {
      const { api, watching } = await started(t)
      await watching.set()
      await api.watches.take()
      await watching.clock.advance(1_000)
      api.say(line)
      assert.match((await watching.failure()).message, message)
      watching.wake()
      assert.equal((await watching.set()).length, 2)
    })
  }

  test('a watch that breaks off in the middle of an event is a failure', async (t) => {
    const { api, watching } = await started(t)
    await watching.set()
    await api.watches.take()
    await watching.clock.advance(1_000)
    api.say('{"type":"ADD')
    await settle()
    api.server.cut()
    assert.match((await watching.failure()).message, /endpointslices (broke off its answer|cannot be reached) \(ECONNRESET\)$/)
  })

  test('a connection that died without a word is given up a little after the watch should have ended', async (t) => {
    const { api, watching } = await started(t, { refresh: '1m', timeout: '5s' })
    await watching.set()
    const { over } = await api.watches.take()
    await settle()
    await watching.clock.advance(65_000)
    await over
    await api.watches.take()
    assert.equal(watching.failures.length, 0)
  })

  test('a look asked for lists again at once', async (t) => {
    const { api, watching } = await started(t)
    await watching.set()
    const { over } = await api.watches.take()
    watching.wake()
    assert.equal((await watching.set()).length, 2)
    await over
    await api.watches.take()
  })

  test('closed while it watches, it hangs up and leaves no timer', async (t) => {
    const { api, watching } = await started(t)
    await watching.set()
    const { over } = await api.watches.take()
    watching.close()
    await over
    await settle()
    assert.deepEqual([watching.clock.pending, watching.failures.length], [0, 0])
  })

  for (const [what, { cause, message }] of Object.entries(troubles)) {
    test(`an API server that ${what} is a failure with its place, and what was there comes back`, async (t) => {
      const { api, watching } = await started(t)
      await watching.set()
      await api.watches.take()
      api.server.trouble = cause
      watching.wake()
      const failure = await watching.failure()
      assert.match(failure.message, message)
      assert.match(failure.message, /^127\.0\.0\.1:\d+\/apis\/discovery\.k8s\.io\/v1\/namespaces\/shop\/endpointslices /)
      assert.doesNotMatch(failure.message, /s3cret/)
      api.server.trouble = undefined
      watching.wake()
      assert.equal((await watching.set()).length, 2)
    })
  }

  test('refuses what it cannot use, with a hint', () => {
    const faults = (config: object) => kubernetes.config.safeParse({ service: 'a', ...config }).error?.issues
      .map(({ path, message }) => `${path.join('.')}: ${message}`).join()
    assert.equal(faults({ kubeconfig: true, context: 'b', port: 'http', namespace: 'shop' }), undefined)
    assert.match(faults({ service: 'a.shop.svc' })!, /^service: is not the name of a Service/)
    assert.match(faults({ context: 'b' })!, /^context: is a context of a kubeconfig/)
    assert.match(faults({ port: 0 })!, /^port/)
    assert.match(faults({ refresh: '1s' })!, /^refresh: must be at least 10s/)
  })
})

describe('access to a cluster', () => {
  const made = authority()

  test('in a pod: token, authority and namespace of the service account, read anew each time', { skip: made === undefined && 'openssl is missing' }, async (t) => {
    const folder = folderOf(t)
    const write = (name: string, text: string): void => writeFileSync(join(folder, name), text)
    write('token', 'first\n')
    write('ca.crt', made!.root)
    write('namespace', 'shop')
    const tokens: (string | undefined)[] = []
    const server = await RegistryServer.start((asked) => {
      tokens.push(asked.headers.authorization)
      if (asked.query.has('watch')) asked.response.writeHead(200).flushHeaders()
      else json(asked, { metadata: { resourceVersion: '1' }, items: [{ ...slice('a', [{ ip: '10.0.0.1' }]), metadata: { name: 'a', resourceVersion: '1' } }] })
    }, made!.server)
    t.after(() => server.close())
    const { hostname, port } = new URL(server.url)
    Object.assign(process.env, { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port })
    t.after(() => { delete process.env['KUBERNETES_SERVICE_HOST']; delete process.env['KUBERNETES_SERVICE_PORT'] })
    const watching = new Watching((runtime) => kubernetes.make(kubernetes.config.parse({ service: 'pricing', serviceAccount: folder }), runtime))
    t.after(() => watching.close())
    assert.deepEqual(await watching.addresses(), ['10.0.0.1:8080'])
    assert.match(server.log[0]!, /^\/apis\/discovery\.k8s\.io\/v1\/namespaces\/shop\/endpointslices\?/)
    await server.asked.takeWhere(({ query }) => query.has('watch'))
    write('token', 'second\n')
    watching.wake()
    await watching.set()
    assert.deepEqual([tokens[0], tokens.at(-1)], ['Bearer first', 'Bearer second'])
    write('ca.crt', made!.otherRoot)
    watching.wake()
    assert.match((await watching.failure()).message, /cannot be reached \((UNABLE_TO|SELF_SIGNED)/)
  })

  test('outside of a pod it says what to write', async (t) => {
    await assert.rejects(accessInCluster('/nowhere'), { message: /^this is no pod of Kubernetes .*: write `kubeconfig/ })
    process.env['KUBERNETES_SERVICE_HOST'] = '::1'
    t.after(() => { delete process.env['KUBERNETES_SERVICE_HOST'] })
    await assert.rejects(accessInCluster('/nowhere'), { message: /\/nowhere\/token' cannot be read \(ENOENT\)/ })
  })

  test('by kubeconfig: files beside it, data in it, and the context that is named', async (t) => {
    const folder = folderOf(t)
    const path = join(folder, 'config')
    writeFileSync(join(folder, 'ca.pem'), 'CA')
    writeFileSync(join(folder, 'token'), 'from-file\n')
    writeFileSync(path, stringify({
      'apiVersion': 'v1', 'kind': 'Config', 'current-context': 'one',
      'contexts': [{ name: 'one', context: { cluster: 'a', user: 'a' } }, { name: 'two', context: { cluster: 'b', user: 'b', namespace: 'shop' } }],
      'clusters': [
        { name: 'a', cluster: { 'server': 'https://a:6443/', 'certificate-authority': 'ca.pem', 'tls-server-name': 'kube' } },
        { name: 'b', cluster: { 'server': 'https://b/k8s/b', 'certificate-authority-data': Buffer.from('CB').toString('base64'), 'insecure-skip-tls-verify': true } },
      ],
      'users': [
        { name: 'a', user: { tokenFile: 'token' } },
        { name: 'b', user: { 'client-certificate-data': Buffer.from('CERT').toString('base64'), 'client-key-data': Buffer.from('KEY').toString('base64') } },
      ],
    }))
    assert.deepEqual(await accessByKubeconfig(path, undefined), {
      server: 'https://a:6443', headers: { authorization: 'Bearer from-file' }, tls: { ca: 'CA', servername: 'kube' }, namespace: 'default',
    })
    assert.deepEqual(await accessByKubeconfig(path, 'two'), {
      server: 'https://b/k8s/b', headers: {}, tls: { ca: 'CB', cert: 'CERT', key: 'KEY', rejectUnauthorized: false }, namespace: 'shop',
    })
    await assert.rejects(accessByKubeconfig(path, 'three'), { message: /has no context 'three', only: one, two$/ })
  })

  test('a kubeconfig that cannot be used says why, without what is in it', async (t) => {
    const path = join(folderOf(t), 'config')
    const withUser = (user: object, more: object = {}): string => stringify({
      'current-context': 'c', 'contexts': [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
      'clusters': [{ name: 'c', cluster: { server: 'https://a' } }], 'users': [{ name: 'u', user }], ...more,
    })
    for (const [text, message] of [
      [withUser({ exec: { command: 'aws', args: ['k8s-s3cret'] } }), /signs in by 'exec', which is not supported: give it a token/],
      [withUser({ 'auth-provider': { name: 'gcp' } }), /signs in by 'auth-provider'/],
      [withUser({ username: 'a', password: 'k8s-s3cret' }), /signs in by 'username'/],
      [withUser({ token: 5 }), /is not one at users\.0\.user\.token/],
      [withUser({ tokenFile: 'none' }), /none' cannot be read \(ENOENT\)/],
      [withUser({}, { 'current-context': '' }), /has no current context: write `context`/],
      [withUser({}, { users: [] }), /has no user 'u', only: none$/],
      ['token: "k8s-s3cret\n  - : {', /is not YAML$/],
      ['k8s-s3cret', /is not one: /],
    ] as const) {
      writeFileSync(path, text)
      await assert.rejects(accessByKubeconfig(path, undefined), (error: Error) => message.test(error.message) && !error.message.includes('s3cret') || assert.fail(error.message))
    }
    await assert.rejects(accessByKubeconfig(join(path, 'none'), undefined), { message: /cannot be read \(ENOTDIR\)/ })
  })
})

aRegistry('kubernetes', async () => {
  const api = await ApiServer.start()
  return {
    registry: api.registry()(fakeRuntime()),
    expected: ['10.0.0.1:8080', '10.0.0.2:8080'],
    fail: () => {
      api.server.trouble = (asked) => status(asked, 500)
      api.server.cut()
    },
    heal: () => { api.server.trouble = undefined },
    close: () => api.server.close(),
  }
})
