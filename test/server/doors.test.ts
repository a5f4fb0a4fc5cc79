import assert from 'node:assert/strict'
import { IncomingMessage, ServerResponse, createServer } from 'node:http'
import { Socket } from 'node:net'
import { describe, test } from 'node:test'
import { Doors } from '../../src/server/doors.ts'

const arrives = (server: ReturnType<typeof createServer>): ServerResponse => {
  const request = Object.assign(new IncomingMessage(new Socket()), { httpVersionMajor: 1, httpVersionMinor: 1 })
  const response = new ServerResponse(request)
  server.emit('request', request, response)
  return response
}

describe('doors', () => {
  test('count the requests under way, in whatever order they end, and how often they say so', () => {
    const server = createServer()
    const doors = new Doors(server)
    const [first, second, third, fourth] = Array.from({ length: 4 }, () => arrives(server))
    assert.equal(doors.underWay, 4)
    second!.emit('close')
    second!.emit('close')
    assert.equal(doors.underWay, 3)
    fourth!.emit('close')
    first!.emit('close')
    assert.equal(doors.underWay, 1)
    assert.equal(third!.shouldKeepAlive, true)
    doors.turnAway()
    assert.equal(third!.shouldKeepAlive, false)
    third!.emit('close')
    assert.equal(doors.underWay, 0)
  })

  test('of one server may be several, and each keeps its own count', () => {
    const server = createServer()
    const outer = new Doors(server)
    const before = [arrives(server), arrives(server)]
    const inner = new Doors(server)
    const after = [arrives(server), arrives(server)]
    before[0]!.emit('close')
    after[0]!.emit('close')
    assert.deepEqual([outer.underWay, inner.underWay], [2, 1])
    inner.turnAway()
    assert.deepEqual([before[1], after[1]].map((response) => response!.shouldKeepAlive), [true, false])
    before[1]!.emit('close')
    after[1]!.emit('close')
    assert.deepEqual([outer.underWay, inner.underWay], [0, 0])
  })
})
