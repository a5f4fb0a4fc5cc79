import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import calls from './call.cjs'

calls.expectNode()
const server = createServer(({ headers }, response) => response.end(headers.host)).listen(0, '127.0.0.1')
await once(server, 'listening')
const address = `127.0.0.1:${server.address().port}`
writeFileSync('mesh.json', JSON.stringify({ services: { 'hello.local': [address] } }))

const run = async (nodeOptions, env) => {
  const child = spawn(process.execPath, [...nodeOptions, 'asks.mjs', 'http://hello.local/', `http://${address}/`], { env: { ...process.env, ...env } })
  const [[code], stdout, stderr] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)])
  return { code, stdout, stderr }
}

const meshed = { code: 0, stdout: `hello.local hello.local\n${address} ${address}\n`, stderr: 'enmesh: 1 service, 1 cluster from mesh.json\n' }
assert.deepEqual(await run(['--import', 'enmesh/register'], { ENMESH_CONFIG: 'mesh.json' }), meshed)
assert.deepEqual(await run([], { ENMESH_CONFIG: 'mesh.json', NODE_OPTIONS: '--import=enmesh/register' }), meshed)
const refused = await run(['--import', 'enmesh/register'], { ENMESH_CONFIG: 'no.json' })
assert.equal(refused.code, 1)
assert.equal(refused.stdout, '')
assert.match(refused.stderr, /^enmesh: [^]*no\.json: there is no such file\n$/)
server.close()
server.closeAllConnections()
console.log(`--import enmesh/register on Node ${process.version}: ok`)
