'use strict'

const assert = require('node:assert/strict')
const { callOnce, expectNode } = require('./call.cjs')
const globals = require('./globals.cjs')

process.exitCode = 1   // until the end is reached: a call that never settles would let the process end quietly
expectNode()
const before = globals.snapshot()
const { createMesh } = require('enmesh')
const { withPassport } = require('enmesh/server')
assert.deepEqual(globals.changesSince(before), [], 'requiring enmesh and enmesh/server changes nothing global')
assert.equal(typeof withPassport, 'function')
assert.equal(typeof require('enmesh/testing').FakeClock, 'function')
callOnce(createMesh).then(() => {
  process.exitCode = 0
  console.log(`require('enmesh') on Node ${process.version}: ok`)
})
