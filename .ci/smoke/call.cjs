'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { createServer } = require('node:http')

/** Sends one call through a mesh of one service, and sees that the process has nothing left to do afterwards. */
exports.callOnce = async (createMesh) => {
  const server = createServer((request, response) => response.end(`${request.headers.host} ${request.url}`))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const mesh = createMesh({
    services: { 'hello.local': [`http://127.0.0.1:${server.address().port}`] },
    egress: 'deny',
  })
  const response = await mesh.fetch('http://hello.local/price/42')
  assert.equal(response.status, 200)
  assert.equal(await response.text(), 'hello.local /price/42')
  await mesh.close()
  server.close()
  await once(server, 'close')
}

/** Sees that this is the Node that was asked for: `node smoke.mjs 22`. */
exports.expectNode = () => {
  const [major] = process.versions.node.split('.')
  assert.equal(major, process.argv[2], `asked for Node ${process.argv[2]}, got ${process.version}`)
}
