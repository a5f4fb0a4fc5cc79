import assert from 'node:assert/strict'
import calls from './call.cjs'
import globals from './globals.cjs'

calls.expectNode()
const before = globals.snapshot()
const { createMesh } = await import('enmesh')
const { withPassport } = await import('enmesh/server')
assert.deepEqual(globals.changesSince(before), [], 'importing enmesh and enmesh/server changes nothing global')
assert.equal(typeof withPassport, 'function')
assert.equal(typeof (await import('enmesh/testing')).FakeClock, 'function')
await calls.callOnce(createMesh)
console.log(`import('enmesh') on Node ${process.version}: ok`)
