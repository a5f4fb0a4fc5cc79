import type { Results } from '../results.ts'
import { html, type Markup } from './html.ts'
import { shown } from './numbers.ts'

/** How it was measured, on what, and what cannot be concluded from it. */
export const method = ({ command, machine, versions, seed, rounds }: Results): Markup => html`<dl>
<dt>command</dt><dd><code>${command}</code></dd>
<dt>machine</dt><dd>${machine.cpu}, ${machine.cores} cores, ${shown(machine.memoryMiB / 1024)} GiB, ${machine.kernel}; load ${machine.loadBefore.toFixed(2)} before, ${machine.loadAfter.toFixed(2)} after</dd>
<dt>versions</dt><dd>${Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(', ')}</dd>
<dt>order</dt><dd>${rounds} ${rounds === 1 ? 'round' : 'rounds'}, arrangements shuffled in each from the seed ${seed}</dd></dl>
<ul>
<li>The mesh and the proxies are made from one definition; plain clients have no policies, and what is put together by hand has its own. Each has processes of its own. What disturbs the machine for a while disturbs neighbours in a round alike, so compare within rounds, and believe ratios before figures.</li>
<li>CPU is what the kernel counted for all threads of the application and of the proxies beside it, both: in nanoseconds where it keeps such statistics, in steps of 10 ms elsewhere, where what few requests cost is rough. Comparisons that leave out one of them cannot be set beside this one.</li>
<li>Latency counts from when a call was due, not from when it could be sent; a stall shows in all that were due meanwhile. With a fixed number in flight a call is due when the one before it is done. At a fixed rate most calls leave a part of a millisecond late, the grain of timers, and that is most of p50: look at p99 there, and at p50 with one in flight.</li>
<li>One machine, and the loopback device: a proxy's hop costs no network here, and neither does a service's. On a real network the share of both gets smaller.</li>
<li>All processes share the machine's cores. Where they are few, throughput says what all of them cost together, not what a proxy could do alone.</li>
<li>One caller in each arrangement. A proxy that many callers share sees what all of them send; a mesh sees what its own process sends.</li>
</ul>
<p>What a sidecar has and a library has not: it serves every language alike, a fault of its own does not take the application's process with it, its limits of memory and CPU are its own,
and it is upgraded without building and deploying the application. None of that is a figure on this page.</p>`
