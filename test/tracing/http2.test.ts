import assert from 'node:assert/strict'
import { channel } from 'node:diagnostics_channel'
import { test } from 'node:test'
import { Held, http2Upstream } from '../scenarios/support/http2-upstream.ts'
import { story, turnsUntil } from '../scenarios/support/story.ts'
import { collecting } from './collecting.ts'

test('attempts over HTTP/2 are measured as such, and its connections counted by whether a stream is on them', async (t) => {
  const { by } = collecting(t)
  const held = new Held()
  const upstream = await http2Upstream(t, held.hold)
  const mesh = story(t).mesh({
    services: { 'a.local': { cluster: 'a' } },
    clusters: { a: { registry: { type: 'static', endpoints: [upstream.address] }, http2: true } },
  })
  // As if OpenTelemetry's instrumentation of undici measured, which sees none of these.
  const listener = (): void => {}
  for (const name of ['undici:request:create', 'undici:request:trailers']) channel(name).subscribe(listener)
  t.after(() => { for (const name of ['undici:request:create', 'undici:request:trailers']) channel(name).unsubscribe(listener) })
  const answers = Array.from({ length: 3 }, async () => (await mesh.fetch('http://a.local/')).text())
  await upstream.arrived(3)
  assert.deepEqual(await by('http.client.open_connections', 'http.connection.state'), { active: 1, idle: 0 })
  assert.deepEqual(await by('http.client.active_requests', 'http.request.method'), { GET: 3 })
  held.release()
  await Promise.all(answers)
  await turnsUntil(() => mesh.status().clusters['a']!.connections.idle === 1, 'it is idle')
  assert.deepEqual(await by('http.client.open_connections', 'http.connection.state'), { active: 0, idle: 1 })
  assert.deepEqual(await by('http.client.request.duration', 'network.protocol.version'), { 2: 3 })
})
