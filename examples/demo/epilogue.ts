import { setTimeout as sleep } from 'node:timers/promises'
import type { Collector } from './collector.ts'
import { ms } from './stage.ts'
import { bold, dim, green, print, red } from './terminal.ts'
import { drawTrace, retried, serviceTimes, servicesOf, tellingTrace } from './trace.ts'

/** Milliseconds for the services to send the last of their spans. */
const underWay = 1_500

const through = ['gateway', 'order', 'pricing']

/** Shows what the spans of the story tell: one trace as a tree, and the times of each service. Resolves to the claims that did not hold. */
export const epilogue = async (collector: Collector): Promise<readonly string[]> => {
  await sleep(underWay)
  const { spans } = collector
  const root = tellingTrace(spans)
  print(`\n${bold('One trace')}  ${dim(root?.span.trace ?? '')}`)
  for (const line of root ? drawTrace(root) : []) print(`  ${line}`)

  print(`\n${bold('Times')}  ${dim(`from ${spans.length} spans: of a service, and of the way to it and back`)}`)
  for (const { service, count, p50, p99, network } of serviceTimes(spans)) {
    print(`  ${service.padEnd(8)} ${String(count).padStart(6)} requests   p50 ${ms(p50).padStart(8)}   p99 ${ms(p99).padStart(8)}` +
      `   ${network > 0 ? `network p50 ${ms(network).padStart(8)}` : ''}`)
  }

  const claim = 'one trace goes through gateway, order and pricing, and shows a retry'
  const found = root ? `${[...servicesOf(root)].join(', ')}${retried(root) ? '' : ', no retry'}` : 'no trace'
  const holds = root !== undefined && retried(root) && through.every((service) => servicesOf(root).has(service))
  print(`  ${holds ? green('✓') : red('✗')} ${claim}  ${dim(found)}`)
  return holds ? [] : [`the trace: ${claim} (found: ${found})`]
}
