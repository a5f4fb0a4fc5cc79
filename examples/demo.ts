/**
 * The shop under load, and a story in five acts that it lives through: `npm run demo`.
 * Ends by itself after about a minute; the exit code is 1 if an act did not show what it claims.
 * With `--keep` the shop stays up after the story, until Ctrl-C.
 */
import { availableParallelism, loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { percentile, succeeded } from './demo/figures.ts'
import { Load, type Sample } from './demo/load.ts'
import { Shop } from './demo/shop.ts'
import { Stage } from './demo/stage.ts'
import { story } from './demo/story.ts'
import { bold, dim, green, print, red } from './demo/terminal.ts'

const requestsPerSecond = 200
const longestWarmUp = 10_000

const { values: { keep } } = parseArgs({ options: { keep: { type: 'boolean', default: false } } })
const begun = performance.now()
const shop = new Shop()

let exitCode: number | undefined
/** Closes the shop and exits; the first to ask decides the exit code. */
const leave = async (code: number): Promise<void> => {
  if (exitCode !== undefined) return
  exitCode = code
  await shop.close()
  process.exit(code)
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { void leave(signal === 'SIGINT' ? 130 : 143) })

const showAddresses = (): void => {
  for (const { name, address } of shop.services) print(`  ${name.padEnd(12)} http://${address}`)
}

/** Until connections are made and code is compiled, what is measured says little: waits for a second of quick answers. */
const warmUp = async (load: Load): Promise<void> => {
  const limit = performance.now() + longestWarmUp
  do await sleep(500)
  while (!isWarm(load.samples.slice(-requestsPerSecond)) && performance.now() < limit)
}

const isWarm = (latest: readonly Sample[]): boolean =>
  latest.length === requestsPerSecond && percentile(latest.filter(succeeded).map(({ took }) => took), 90) < 50

/** Plays all acts; resolves to the claims that did not hold. */
const play = async (load: Load): Promise<readonly string[]> => {
  const failed: string[] = []
  for (const [index, act] of story.entries()) {
    print(`\n${bold(`Act ${index + 1} · ${act.title}`)}\n  ${dim(act.about)}`)
    const stage = new Stage(shop, load)
    await act.play(stage)
    failed.push(...stage.failed.map((claim) => `act ${index + 1}: ${claim}`))
  }
  return failed
}

try {
  print(`${bold('The shop')}: gateway → order ×2 → pricing 1.0.0 ×3 and 2.0.0 ×1, each a process of its own`)
  await shop.open()
  showAddresses()
  const load = new Load(`http://${shop.gateway!.address}`, requestsPerSecond)
  load.start()
  await warmUp(load)
  print(`  under ${requestsPerSecond} requests per second, one in twenty of them placing an order`)

  const failed = [...await play(load), ...shop.deaths]
  await load.stop()

  print()
  for (const claim of failed) print(red(`Not shown: ${claim}`))
  if (failed.length > 0 || load.skipped > 0) {
    const average = `${loadavg()[0]!.toFixed(1)} on ${availableParallelism()} cores`
    if (load.skipped > 0) print(`${load.skipped} requests were held back, since too many were under way: the machine did not keep up.`)
    print(dim(`The machine's load average is ${average}: where processes wait for a core, time limits pass for no other reason.`))
  }
  const seconds = ((performance.now() - begun) / 1000).toFixed(0)
  if (failed.length === 0) print(green(`All five acts showed what they claim: ${load.samples.length} requests in ${seconds} s.`))
  if (keep) {
    print('\nThe shop stays open; Ctrl-C closes it.')
    showAddresses()
    print(`  curl http://${shop.gateway!.address}/orders/42`)
  } else {
    await leave(failed.length === 0 ? 0 : 1)
  }
} catch (error) {
  // Services that end since somebody wants to leave break the story off too; that is no news.
  if (exitCode === undefined) print(red(`The demo broke off: ${error instanceof Error ? error.message : String(error)}`))
  await leave(1)
}
