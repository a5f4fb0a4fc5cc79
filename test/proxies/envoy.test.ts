import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { toEnvoy } from '../../src/proxies/index.ts'
import { examples, single, withFiles, type Example } from './definitions.ts'
import { messageFaults, messages } from './envoy-messages.ts'

type Document = Parameters<typeof messageFaults>[0]

const written = ({ config, options }: Pick<Example, 'config' | 'options'>): Document => JSON.parse(toEnvoy(config, options).text) as Document

const faults = (document: Document): readonly string[] => messageFaults(document, 'envoy.config.bootstrap.v3.Bootstrap', 'bootstrap')

const all: readonly Example[] = [...examples, withFiles, { name: 'admin', config: single(), options: { admin: '127.0.0.1:9901' } }]

/** Every message in a document, with the value found in it. */
const within = (value: unknown, name: string): readonly Record<string, unknown>[] => {
  if (Array.isArray(value)) return value.flatMap((each) => within(each, name))
  if (typeof value !== 'object' || value === null) return []
  const record = value as Record<string, unknown>
  return [...name in record ? [record] : [], ...Object.values(record).flatMap((each) => within(each, name))]
}

describe('what is written for Envoy is what Envoy documents', () => {
  for (const example of all) test(example.name, () => assert.deepEqual(faults(written(example)), []))

  test('the check sees what is wrong', () => {
    const wrong = (change: (document: { static_resources: { clusters: Record<string, unknown>[] } }) => void): readonly string[] => {
      const document = structuredClone(written({ config: single() })) as never
      change(document)
      return faults(document)
    }
    assert.match(wrong(({ static_resources: { clusters: [cluster] } }) => { cluster!['lb_polcy'] = 'RANDOM' })[0]!, /lb_polcy: envoy\.config\.cluster\.v3\.Cluster has no such field/)
    assert.match(wrong(({ static_resources: { clusters: [cluster] } }) => { cluster!['lb_policy'] = 'FASTEST' })[0]!, /is none of/)
    assert.match(wrong(({ static_resources: { clusters: [cluster] } }) => { cluster!['connect_timeout'] = 5 })[0]!, /is no duration/)
    assert.match(wrong(({ static_resources: { clusters: [cluster] } }) => { cluster!['maglev_lb_config'] = {} })[0]!, /only one of them may be/)
    assert.match(wrong(({ static_resources: { clusters: [cluster] } }) => { cluster!['name'] = '' })[0]!, /is not some/)
    assert.match(wrong(({ static_resources: { clusters: [cluster] } }) => { cluster!['transport_socket'] = { name: 'x', typed_config: { '@type': 'x' } } })[0]!, /has no @type/)
  })

  test('every message and field of the list is written by some definition', () => {
    const seen = new Set<string>()
    const note = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return
      for (const [name, inner] of Object.entries(value)) {
        seen.add(name)
        note(inner)
      }
    }
    for (const example of all) note(written(example))
    assert.deepEqual(Object.values(messages).flatMap((fields) => Object.keys(fields)).filter((name) => !seen.has(name)), [])
  })
})

describe('what Envoy requires beyond types', () => {
  const documents = all.map(written)

  test('clusters that routes name are there, and names are theirs alone', () => {
    for (const document of documents) {
      const { clusters } = document['static_resources'] as unknown as { clusters: { name: string }[] }
      const names = clusters.map(({ name }) => name)
      assert.equal(new Set(names).size, names.length)
      for (const { cluster } of within(document, 'cluster')) assert.ok(names.includes(cluster as string), String(cluster))
      for (const { weighted_clusters } of within(document, 'weighted_clusters')) {
        for (const { name } of (weighted_clusters as { clusters: { name: string }[] }).clusters) assert.ok(names.includes(name), name)
      }
    }
  })

  test('no domain stands twice in one listener', () => {
    for (const document of documents) {
      for (const { virtual_hosts } of within(document, 'virtual_hosts')) {
        const domains = (virtual_hosts as { domains: string[] }[]).flatMap((host) => host.domains)
        assert.equal(new Set(domains).size, domains.length)
      }
    }
  })

  test('prefixes by segment do not end in a slash', () => {
    for (const { path_separated_prefix: prefix } of documents.flatMap((document) => within(document, 'path_separated_prefix'))) assert.match(prefix as string, /^[^?#]+[^?#/]$/)
  })

  test('a back-off does not begin beyond its end', () => {
    for (const { retry_back_off } of documents.flatMap((document) => within(document, 'retry_back_off'))) {
      const { base_interval, max_interval } = retry_back_off as Record<string, string>
      assert.ok(Number.parseFloat(base_interval!) > 0)
      assert.ok(Number.parseFloat(base_interval!) <= Number.parseFloat(max_interval!))
    }
  })
})

test('a definition is written so', () => {
  const [cluster] = (written({ config: single({ requests: 5, budget: { percent: 30 } }, { timeout: '2s', attemptTimeout: '1s' }) })['static_resources'] as never as { clusters: Record<string, never>[] }).clusters
  assert.equal(cluster!['name'], 'c0_shop')
  assert.deepEqual(cluster!['circuit_breakers'], {
    thresholds: [{ max_connections: 4_294_967_295, max_pending_requests: 1024, max_requests: 5, retry_budget: { budget_percent: { value: 30 }, min_retry_concurrency: 10 } }],
    per_host_thresholds: [{ max_connections: 128 }],
  })
})
