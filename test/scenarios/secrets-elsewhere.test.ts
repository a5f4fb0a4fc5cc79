import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, request as ask, type IncomingMessage, type RequestListener } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { test, type TestContext } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createMesh, loadConfig, type Mesh, type MeshInput } from '../../src/index.ts'
import { knownEvents } from '../../src/core/events.ts'
import { createGateway, meshTls } from '../../src/server/index.ts'
import { enmesh, folder } from '../cli/support.ts'
import { selfSigned } from './support/certificate.ts'
import { assertNoSecrets, lineOf, mark } from '../support/secrets.ts'
import { rejection, turnsUntil } from './support/story.ts'
import { refused } from './support/upstream.ts'

/** Hears everything that is told on channels while the test runs. */
const hearAll = (t: TestContext): unknown[] => {
  const told: unknown[] = []
  const channels = [...knownEvents, 'client-refused', 'handshake-failed', 'call-denied'].map((event) => `enmesh:${event}`)
  const hear = (detail: unknown): void => { told.push(detail) }
  for (const channel of channels) subscribe(channel, hear)
  t.after(() => { for (const channel of channels) unsubscribe(channel, hear) })
  return told
}

const serve = async (t: TestContext, answer: RequestListener): Promise<string> => {
  const server = createServer(answer)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

const setEnv = (t: TestContext, variables: Readonly<Record<string, string>>): void => {
  Object.assign(process.env, variables)
  t.after(() => { for (const name of Object.keys(variables)) Reflect.deleteProperty(process.env, name) })
}

const secretHeaders = {
  'authorization': `Bearer ${mark('authorization')}`, 'cookie': `session=${mark('cookie')}`, 'x-api-key': mark('api-key'), 'proxy-authorization': `Basic ${mark('proxy')}`,
}

test('access logs hold none in any format, but a header that the format names', async (t) => {
  const at = folder(t, {})
  const address = await serve(t, (_, response) => { response.setHeader('set-cookie', mark('set-cookie')).setHeader('x-said', 'on purpose').end('ok') })
  const logs: readonly (readonly [string, object])[] = [
    ['default.log', {}], ['text.log', { format: '%PROTOCOL% %REQ(:METHOD)% %REQ(:PATH)% %REQ(:AUTHORITY)% %RESPONSE_CODE% %RESPONSE_FLAGS% %UPSTREAM_HOST% %RESP(X-SAID)%\n' }], ['json.log', { json: { path: '%REQ(:PATH)%', why: '%RESPONSE_CODE_DETAILS%' } }],
  ]
  for (const [name, format] of logs) {
    const mesh = createMesh({
      services: { 'svc.test': [address], 'down.test': { cluster: 'down', retry: false } }, clusters: { down: { registry: { type: 'static', endpoints: [refused] } } },
      telemetry: { accessLog: { path: at(name), ...format } },
    } as MeshInput)
    for (const host of ['svc.test', 'down.test', 'nobody.test']) {
      await mesh.fetch(`http://${host}/a?token=${mark('token')}&X-Amz-Signature=${mark('signature')}&%61pi_key=${mark('escaped')}#${mark('fragment')}`, { method: 'POST', headers: secretHeaders, body: mark('body') })
        .then((response) => response.text(), () => {})
    }
    await mesh.close()
    const written = readFileSync(at(name), 'utf8')
    assert.match(written, /\/a\?token=REDACTED&X-Amz-Signature=REDACTED&%61pi_key=REDACTED/)
    assertNoSecrets([written])
  }
})

test('a gateway\'s problems hold none, whatever they are about', async (t) => {
  const told = hearAll(t)
  const silent = await serve(t, () => {})
  const broken = await serve(t, (request) => { request.socket.end(`HTTP/1.1 200 OK\r\nset-cookie: ${mark('set-cookie')}\r\nx y: ${mark('upstream')}\r\n\r\n`) })
  const services = { 'down.local': refused, 'silent.local': silent, 'broken.local': broken }
  const mesh = createMesh({
    services: Object.fromEntries(Object.keys(services).map((name) => [name, { cluster: name, retry: false, timeout: '100ms' }])),
    clusters: Object.fromEntries(Object.entries(services).map(([name, address]) => [name, { registry: { type: 'static', endpoints: [address] } }])),
    egress: 'deny',
  } as MeshInput)
  const gateway = createGateway(mesh, {
    routes: Object.keys(services).map((service) => ({ match: { path: { prefix: `/${service}` } }, service })), maxBody: 10,
    onProblem: (problem, error) => { told.push(problem, error) },
  })
  await once(gateway.server.listen(0, '127.0.0.1'), 'listening')
  t.after(async () => {
    await gateway.close()
    await mesh.close()
  })
  const { port } = gateway.server.address() as AddressInfo
  const statuses = new Set<number>()
  const query = `token=${mark('token')}&q=${mark('query')}`
  for (const path of [...Object.keys(services), 'nowhere', '%zz', 'a%2fb']) for (const body of [undefined, mark('body')]) {
    const [answer] = await once(ask({ port, path: `/${path}?${query}`, agent: false, headers: secretHeaders, method: body === undefined ? 'GET' : 'POST' }).end(body), 'response') as [IncomingMessage]
    statuses.add(answer.statusCode!)
    told.push(answer.headers, await text(answer))
  }
  const raw = [
    `GET http://user:${mark('password')}@shop.test/?${query} HTTP/1.1\r\nhost: shop.test\r\n`, `GET /${mark('raw')} HTTP/1.1\r\nhost: a b\r\n`, `GET / HTTP/1.1\r\nhost: x\r\nauthorization ${mark('no-colon')}\r\n`,
    `G@T /?${query} HTTP/1.1\r\nhost: x\r\n`, `GET / HTTP/1.1\r\nhost: x\r\nexpect: ${mark('expect')}\r\n`, `GET / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: ${mark('coding')}\r\n`, `GET / HTTP/1.1\r\nhost: ${mark('host')}\r\ncookie: ${mark('long').repeat(5_000)}\r\n`,
  ]
  for (const head of raw) {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    socket.end(`${head}connection: close\r\n\r\n`)
    const answer = await text(socket)
    assert.match(answer, /^HTTP\/1\.1 4|^HTTP\/1\.1 5/)
    told.push(answer)
  }
  assert.deepEqual([...statuses].toSorted(), [400, 404, 413, 502, 503, 504].filter((status) => statuses.has(status)))
  assert.ok(statuses.size >= 4, [...statuses].join(' '))
  assertNoSecrets(told)
})

test('registries hold none in what they say of servers that refuse them, repeat what they were sent, or answer nonsense', async (t) => {
  const told = hearAll(t)
  setEnv(t, { ENMESH_TEST_TOKEN: mark('token'), ENMESH_TEST_PASSWORD: mark('password') })
  const [token, password] = [{ env: 'ENMESH_TEST_TOKEN' }, { env: 'ENMESH_TEST_PASSWORD' }]
  const answers: readonly RequestListener[] = [
    async (request, response) => { response.writeHead(403).end(`you sent ${JSON.stringify(request.headers)} ${await text(request)}`) },
    async (request, response) => { response.writeHead(200).end(`{"you": "sent ${JSON.stringify(request.headers).replaceAll('"', '')} ${(await text(request)).replaceAll('"', '')}`) },
    async (request, response) => { response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ error: { ...request.headers, body: await text(request) } })) },
    (request) => { request.socket.destroy() },
  ]
  const at = folder(t, {
    'list.json': `[{"address": "10.0.0.1:80", "password": "${mark('list')}"`, 'list.yaml': `- address: [${mark('list')}\n  x: {`, 'shape.json': [{ address: '10.0.0.1:80', weight: mark('weight'), password: mark('password') }, { address: `user:${mark('url')}@10.0.0.1:80` }],
    'kubeconfig': `clusters: [{name: c, cluster: {server: "https://user:${mark('kube-url')}@k"}}]\nusers: [{name: u, user: {token: ${mark('kube-token')}}}]\n`,
    'kubeconfig-2': `users: [{name: u, user: {token: ${mark('kube-token')}, client-key-data: ${mark('not base64')}}}]\ncontexts: ${mark('contexts')}\n`, 'kubeconfig-3': `token: "${mark('kube-token')}`,
  })
  for (const answer of answers) {
    const server = `http://${await serve(t, answer)}`
    const registries: readonly object[] = [
      { type: 'consul', servers: [server], service: 'x', token }, { type: 'etcd', servers: [server], prefix: '/x', user: 'u', password },
      { type: 'eureka', servers: [`${server}/eureka`], app: 'x', user: 'u', password },
      ...['list.json', 'list.yaml', 'shape.json'].map((name) => ({ type: 'file', path: at(name) })),
      ...['kubeconfig', 'kubeconfig-2', 'kubeconfig-3'].map((name) => ({ type: 'kubernetes', service: 'x', kubeconfig: at(name) })),
      { type: 'first-of', of: [{ type: 'consul', servers: [server], service: 'x', token }, { type: 'none' }] },
      { type: 'merge', of: [{ type: 'consul', servers: [server], service: 'x', token }] },
    ]
    const names = registries.map((_, index) => `c${index}`)
    const failed = new Set<string>()
    const mesh = createMesh({ services: Object.fromEntries(names.map((name) => [`${name}.test`, { cluster: name, timeout: '20ms' }])), clusters: Object.fromEntries(names.map((name, index) => [name, { registry: registries[index] }])) } as MeshInput)
    mesh.on('registry-failed', ({ cluster, error }) => {
      failed.add(cluster)
      told.push(error, (error as Error).stack)
    })
    await turnsUntil(() => failed.size >= names.length - 2, 'they failed')
    for (const name of names) told.push(await rejection(mesh.fetch(`http://${name}.test/`, { headers: secretHeaders })), mesh.explain(`http://${name}.test/`))
    told.push(mesh.status(), mesh)
    await mesh.close()
  }
  const wrong = [
    ...['consul', 'etcd', 'eureka'].map((type) => ({ type, servers: [`http://user:${mark('url')}@10.0.0.1:1`], service: 'x', app: 'x', prefix: 'x' })),
    { type: 'consul', servers: ['http://10.0.0.1:1'], service: 'x', token: mark('text') }, { type: 'etcd', servers: [`http://10.0.0.1:1/?password=${mark('url')}`], prefix: 'x' },
    { type: 'eureka', servers: ['http://10.0.0.1:1'], app: 'x', user: 'u', password: mark('text') }, { type: 'cloud-map', namespace: 'x', service: 'x', credentials: { accessKeyId: mark('id'), secretAccessKey: mark('key') } },
    { type: 'static', endpoints: [`http://user:${mark('url')}@10.0.0.1:1`] }, { type: 'static', endpoints: [`user:${mark('url')}@10.0.0.1`] }, { type: 'cloud-map', namespace: 'x', service: 'x', endpoint: `http://user:${mark('url')}@aws` },
    { type: 'consul', servers: ['http://10.0.0.1:1'], service: 'x', token: { env: 'X', value: mark('value') } },
  ]
  for (const registry of wrong) told.push(await rejection((async () => createMesh({ clusters: { c: { registry } } } as MeshInput))()))
  assert.ok(told.length > 50)
  assertNoSecrets(told, [Buffer.from(`u:${mark('password')}`).toString('base64')])
})

test('health checks hold none of what endpoints say', async (t) => {
  const told = hearAll(t)
  const address = await serve(t, (_, response) => { response.writeHead(500, mark('reason'), { 'set-cookie': mark('cookie'), 'x-why': mark('why') }).end(mark('body')) })
  const nonsense = await serve(t, (request) => { request.socket.end(`${mark('nonsense')}\r\n\r\n`) })
  const checks = [{ protocol: 'http', path: '/health' }, { protocol: 'http2', path: '/health' }, { protocol: 'grpc', service: 'x' }, { protocol: 'tcp', port: 1 }]
  const names = checks.map((_, index) => `c${index}`)
  const mesh = createMesh({
    services: Object.fromEntries(names.map((name) => [`${name}.test`, { cluster: name }])),
    clusters: Object.fromEntries(checks.map((check, index) => [`c${index}`, { registry: { type: 'static', endpoints: [address, nonsense] }, healthCheck: { ...check, interval: '1h' } }])),
  } as MeshInput)
  t.after(() => mesh.close())
  let checked = 0
  mesh.on('endpoint-checked', () => { checked++ })
  await turnsUntil(() => checked === 2 * checks.length, 'all are checked')
  told.push(mesh.status(), ...names.map((name) => mesh.explain(`http://${name}.test/`)))
  assertNoSecrets(told)
})

const made = selfSigned('svc.test')
const skip = made === undefined && 'there is no openssl to make a certificate with'
const { key, cert } = made ?? { key: '', cert: '' }

test('files of certificates hold none in what is said of their faults', { skip }, async (t) => {
  const told = hearAll(t)
  const at = folder(t, {
    'key.pem': key, 'cert.pem': cert, 'bundle.pem': `${cert}${key}`, 'half.key': key.slice(0, key.length / 2), 'torn.key': key.replace(/\n(.{10}).{10}/, '\n$1@@@@@@@@@@'), 'dhall': `password = ${mark('text')}`,
    'der.key': Buffer.from(key.replace(/-----.*-----|\s/g, ''), 'base64').toString('latin1'),
  })
  const faulty: readonly object[] = [
    { ca: { file: at('key.pem') } }, { cert: { file: at('key.pem') }, key: { file: at('cert.pem') } }, { cert: { file: at('cert.pem') }, key: { file: at('half.key') } }, { cert: { file: at('cert.pem') }, key: { file: at('torn.key') } },
    { cert: { file: at('cert.pem') }, key: { file: at('der.key') } }, { ca: { file: at('dhall') } }, { ca: { file: key } }, { ca: key }, { key }, { cert: key, key: cert }, { cert, key: { file: key.replaceAll('\n', '\\n') } },
    { cert, key, passphrase: 5, ca: [key, { file: 'x', key }] }, { cert, key, passphrase: mark('passphrase'), names: [key] }, { key: { text: key }, cert },
  ]
  for (const tls of faulty) {
    told.push(await rejection((async () => createMesh({ clusters: { c: { registry: { type: 'none' }, tls } } } as MeshInput))()))
    told.push(await rejection((async () => meshTls(tls as never))()))
  }
  const mesh = createMesh({ clusters: { c: { registry: { type: 'none' }, tls: { ca: cert, cert: { file: at('bundle.pem') }, key: { file: at('bundle.pem') }, passphrase: mark('passphrase') } } } })
  told.push(mesh.status(), mesh.status().clusters['c']!.config, mesh)
  await mesh.close()
  assertNoSecrets(told, [lineOf(key), lineOf(key).slice(20, 40)])
})

const secrets = { ENMESH_TEST_SECRET: mark('variable'), ENMESH_TEST_KEY: key }

/** Configurations in which variables stand where they may, and where they may not. */
const withVariables = (text: string): Readonly<Record<string, string>> => ({
  'passphrase.yaml': `clusters: { c: { registry: { type: none }, tls: { passphrase: "${text}" } } }`,
  'number.yaml': `clusters: { c: { registry: { type: none }, connections: "${text}" } }`,
  'enum.yaml': `clusters: { c: { registry: { type: "${text}" } } }`,
  'reference.yaml': `services: { a.test: { cluster: "${text}" } }`,
  'egress.yaml': `egress: "${text}"`,
  'registry.yaml': `clusters: { c: { registry: { type: consul, service: x, token: "${text}", servers: ["http://u:${text}@h"] } } }`,
  'header.yaml': `services: { a.test: { routes: [ { match: { headers: { x-key: "${text}" } }, to: c } ] } }\nclusters: { c: { registry: { type: static, endpoints: ["10.0.0.1:1"] } } }`,
  'regex.yaml': `services: { a.test: { routes: [ { match: { path: { regex: "(${text}" } }, to: c } ] } }\nclusters: { c: { registry: { type: none } } }`,
  'endpoint.yaml': `services: { a.test: ["http://u:${text}@10.0.0.1:1"] }`,
  'file.yaml': `clusters: { c: { registry: { type: none }, tls: { ca: { file: "${text}" } } } }`,
  'unknown.json': JSON.stringify({ clusters: { c: { registry: { type: 'none' }, password: text } } }),
  'duration.json': JSON.stringify({ services: { 'a.test': { cluster: 'c', timeout: text } }, clusters: { c: { registry: { type: 'none' } } } }),
  'broken.json': `{ "services": "${text}", `,
})

test('configurations hold none of what variables brought in, whatever is wrong with them', { skip }, async (t) => {
  setEnv(t, secrets)
  const told = hearAll(t)
  for (const variable of ['${ENMESH_TEST_SECRET}', 'x${ENMESH_TEST_SECRET}y', '${ENMESH_TEST_KEY}']) {
    const files = withVariables(variable)
    const at = folder(t, files)
    for (const name of Object.keys(files)) {
      const config = await loadConfig(at(name)).catch((error: unknown) => { told.push(error, (error as Error).stack) })
      if (!config) continue
      let mesh: Mesh | undefined
      try {
        mesh = createMesh(config)
      } catch (error) {
        told.push(error, (error as Error).stack)
      }
      if (!mesh) continue
      await nextTurn()
      // What a route asks for is part of the configuration, and shown; what a request has is not.
      if (name !== 'header.yaml') told.push(mesh.status())
      told.push(mesh.explain('http://b.test/', { headers: { 'x-key': mark('header'), ...secretHeaders } }))
      await mesh.close()
    }
  }
  assertNoSecrets(told, [lineOf(key)])
})

test('the command line shows none, to people or to programs', { skip }, async (t) => {
  const told: string[] = []
  const variables = withVariables('${ENMESH_TEST_SECRET}')
  const at = folder(t, { ...variables, ...Object.fromEntries(Object.entries(withVariables('a-${ENMESH_TEST_KEY}')).map(([name, text]) => [`key-${name}`, text])), 'plain.yaml': 'services: { a.test: ["10.0.0.1:1"] }\n' })
  const names = [...Object.keys(variables), ...Object.keys(variables).map((name) => `key-${name}`)]
  const url = `http://user:${mark('password')}@a.test/x?token=${mark('token')}&sig=${mark('signature')}`
  const header = Object.entries(secretHeaders).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  for (const name of names) for (const json of [[], ['--json']]) {
    for (const args of [['check', at(name)], ['explain', at(name), ...header, 'GET', url], ['diff', at('plain.yaml'), at(name)], ['diff', at(name), at('plain.yaml')], ['import', at(name)]]) {
      const { stdout, stderr } = await enmesh([...args, ...json], { env: secrets })
      told.push(stdout, stderr)
    }
  }
  assert.ok(told.filter((text) => text !== '').length > 100)
  assertNoSecrets(told, [lineOf(key)])
})
