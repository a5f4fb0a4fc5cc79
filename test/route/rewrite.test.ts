import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Call } from '../../src/core/call.ts'
import type { RequestHead } from '../../src/core/request.ts'
import type { Reply } from '../../src/core/reply.ts'
import { matchedPrefix, rewrite, rewriteConfig, type RewriteConfig } from '../../src/route/rewrite.ts'
import { aRequest } from '../../src/testing/a-matcher.ts'
import { FakeClock } from '../../src/testing/index.ts'

const rewritten = async (config: RewriteConfig, request: RequestHead, from?: string): Promise<RequestHead> => {
  const call = new Call(request, new FakeClock())
  let seen: RequestHead | undefined
  await rewrite(rewriteConfig.parse(config), from)((passed) => {
    seen = passed.request
    return Promise.resolve({} as Reply)
  })(call)
  return seen!
}

describe('rewriting', () => {
  it('sends another Host and leaves the rest, the head given by the caller included', async () => {
    const request = aRequest({ method: 'POST', path: '/a?b=c', headers: ['x-a', '1'], port: 8080 })
    const sent = await rewritten({ host: 'inner.local:81' }, request)
    assert.equal(sent.hostHeader, 'inner.local:81')
    assert.deepEqual({ ...sent, hostHeader: undefined }, { ...request })
    assert.equal(request.hostHeader, undefined)
  })

  it('replaces the whole path and keeps the query', async () => {
    assert.equal((await rewritten({ path: '/new' }, aRequest({ path: '/old/thing?x=/old' }))).path, '/new?x=/old')
    assert.equal((await rewritten({ path: '/new' }, aRequest({ path: '/old' }))).path, '/new')
  })

  const prefixes: readonly (readonly [from: string, to: string, path: string, sent: string])[] = [
    ['/a', '/b', '/a/c?x=1', '/b/c?x=1'],
    ['/a', '/b', '/a', '/b'],
    ['/a', '/b/', '/a/c', '/b/c'],
    ['/a', '/b/', '/a', '/b/'],
    ['/a', '/', '/a/c', '/c'],
    ['/a', '/', '/a', '/'],
    ['/a', '/', '/a?x', '/?x'],
    ['/a/', '/b', '/a/c', '/b/c'],
    ['/a/', '/b', '/a/', '/b'],
    ['/a/', '/b/', '/a/c', '/b/c'],
    ['/', '/b', '/c', '/b/c'],
    ['/', '/b', '/', '/b'],
    ['/a', '/b', '/ac', '/bc'],
    ['/a', '/b', '/x/../a/c', '/b/c'],
    ['/a', '/b', '//a/%2e/c%20d', '/b/c%20d'],
  ]
  for (const [from, to, path, sent] of prefixes) {
    it(`makes '${sent}' of '${path}' when '${to}' replaces '${from}'`, async () => {
      assert.equal((await rewritten({ prefix: to }, aRequest({ path }), from)).path, sent)
    })
  }

  it('leaves a path that needs no change as the caller wrote it', async () => {
    assert.equal((await rewritten({ host: 'h' }, aRequest({ path: '/a//../%2e?x' }))).path, '/a//../%2e?x')
  })

  it('knows the prefix that a route matched', () => {
    assert.equal(matchedPrefix({ path: { prefix: '/a' } }), '/a')
    assert.equal(matchedPrefix({ path: { plainPrefix: '/b' } }), '/b')
    assert.equal(matchedPrefix({ path: { exact: '/c' } }), undefined)
    assert.equal(matchedPrefix(undefined), undefined)
  })
})
