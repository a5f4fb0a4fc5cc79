import type { RequestPart } from '../../core/request-part.ts'
import { innermost } from '../balancing.ts'
import type { Upstream } from '../definition.ts'
import { plain } from '../text.ts'

const sampleOf = ({ header, cookie, query }: RequestPart, path: string): string => {
  if (header !== undefined) return `req.fhdr(${plain(header, '_-', path, 'a header name')})`
  if (cookie !== undefined) return `req.cook(${plain(cookie, '_.-', path, 'a cookie name')})`
  return query === undefined ? 'path' : `url_param(${plain(query, '_.-', path, 'a parameter')}),url_dec(1)`
}

/** Lines that set a variable to the first of some parts that a request has. What is empty is as good as absent. */
export const partLines = (variable: string, parts: readonly RequestPart[], path: string): readonly string[] => parts.map((part, index) => {
  const sample = sampleOf(part, path)
  return `http-request set-var(${variable}) ${sample} if${index === 0 ? '' : ` !{ var(${variable}) -m found }`} { ${sample} -m len gt 0 }`
})

/** How a backend chooses among its servers. */
export const balanceLines = ({ balancer, path }: Upstream): readonly string[] => {
  const inner = innermost(balancer)
  switch (inner.type) {
    case 'round-robin': case 'weighted': case 'orca-wrr': return ['balance roundrobin']
    case 'random': return ['balance random(1)']
    case 'least-request': return [`balance random(${inner.choices})`]
    case 'ring-hash': case 'maglev': return [
      ...partLines('txn.key', [inner.key ?? []].flat(), `${path}.balancer.key`),
      // Without a key, and for requests that have none, HAProxy takes the servers in turn.
      'balance hash var(txn.key)',
      'hash-type consistent sdbm avalanche',
      ...inner.maxLoad === undefined ? [] : [`hash-balance-factor ${Math.max(101, Math.round(inner.maxLoad * 100))}`],
    ]
    default: return ['balance leastconn']
  }
}
