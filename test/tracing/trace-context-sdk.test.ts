import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { SpanKind } from '@opentelemetry/api'
import { story } from '../scenarios/support/story.ts'
import { says } from '../scenarios/support/upstream.ts'
import { forget, register, serving, spans, unregister } from './sdk.ts'
import { callsOthers, fieldsOf, tell } from './support.ts'
import { cases, parentId, restarted, traceId } from './trace-context-cases.ts'

before(() => register())
after(unregister)

test('over the wire: a valid trace goes on and an invalid one is begun anew, on each of several calls, with an SDK', async (t) => {
  const stage = story(t)
  const last = await stage.upstream(says('here'))
  const mesh = stage.mesh({ services: { 'next.test': [last.address] } })
  const service = await stage.upstream(callsOthers(() => mesh, serving))
  for (const { what, came, parent, state } of cases) {
    last.requests.length = 0
    forget()
    await tell(service.url, ['http://next.test/1', 'http://next.test/2'], came)
    assert.equal(last.requests.length, 2, what)
    const attempts = spans().filter(({ kind }) => kind === SpanKind.CLIENT).map((span) => span.spanContext().spanId)
    const continued = parent !== undefined && parent !== restarted
    const sampled = !continued || /[13]$/.test(parent)
    assert.equal(attempts.length, sampled ? 2 : 0, what)
    for (const [index, request] of last.requests.entries()) {
      const sent = fieldsOf(request, 'traceparent')
      assert.equal(sent.length, 1, what)
      const [, trace, id, flags] = sent[0]!.split('-')
      assert.equal(trace === traceId, continued, what)
      assert.equal((Number(flags) & 1) === 1, sampled, what)
      if (sampled) assert.equal(id, attempts[index], `${what}: the service's parent is the attempt`)
      assert.notEqual(id, parentId, what)
      // Which members of a state go on is the propagator's own business; that of an invalid parent never does.
      const states = fieldsOf(request, 'tracestate')
      assert.ok(states.length <= 1, what)
      if (!continued) assert.deepEqual(states, [], what)
      else if (state !== undefined && state.length < 100 && !/@|^0|a=.*a=/.test(state)) assert.equal(states.length, 1, what)
    }
  }
})
