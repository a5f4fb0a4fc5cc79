/**
 * The shop under load, a story in five acts that it lives through, and one trace of it: `npm run demo`.
 * Ends by itself after about a minute; the exit code is 1 if an act did not show what it claims,
 * and 3 if the machine is too busy to show anything.
 * With `--keep` the shop stays up after the story, until Ctrl-C. With `--registry file|dns|etcd` its services find one another there,
 * by a dnsmasq or an etcd that it starts; with `--app-mesh` they reach one another as the shop's AWS App Mesh definition says;
 * with `--gateway` the front door is `createGateway`; with `--acts 1,2` it plays those acts only.
 */
import { availableParallelism, loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { atTheDoor } from './demo/at-the-door.ts'
import { Collector } from './demo/collector.ts'
import { directoryOf } from './demo/directory.ts'
import { epilogue } from './demo/epilogue.ts'
import { percentile } from './demo/figures.ts'
import { Load } from './demo/load.ts'
import { readOptions, type Options } from './demo/options.ts'
import { Shop } from './demo/shop.ts'
import { Stage } from './demo/stage.ts'
import { story } from './demo/story.ts'
import { bold, dim, green, print, red, yellow } from './demo/terminal.ts'

const requestsPerSecond = 60
const fewestPerSecond = 20
const longestWarmUp = 8_000
const measured = 2_500
/** Milliseconds for nine answers in ten: above the first the load is lowered, above the second nothing can be shown. */
const busy = 60
const tooBusy = 500

const asked = (): Options => {
  try {
    return readOptions(process.argv.slice(2), story.length)
  } catch (error) {
    print(red((error as Error).message))
    process.exit(2)
  }
}

const { keep, registry, appMesh, gateway, acts } = asked()
const begun = performance.now()
const collector = new Collector()
const directory = directoryOf(registry)
const definition = fileURLToPath(new URL('app-mesh/terraform', import.meta.url))
const shop = new Shop(directory, { ...await collector.open(), ...(appMesh && { APP_MESH: definition }) }, gateway ? 'gateway/ingress.ts' : 'gateway/gateway.ts')

let exitCode: number | undefined
/** Closes the shop and exits; the first to ask decides the exit code. */
const leave = async (code: number): Promise<void> => {
  if (exitCode !== undefined) return
  exitCode = code
  await shop.close()
  collector.close()
  process.exit(code)
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { void leave(signal === 'SIGINT' ? 130 : 143) })

const showAddresses = (): void => {
  for (const { name, address } of shop.services) print(`  ${name.padEnd(12)} http://${address}`)
}

/** Milliseconds within which nine in ten are answered, of the requests sent from now on for a while. */
const measure = async (load: Load): Promise<number> => {
  const first = load.samples.length
  await sleep(measured)
  const last = load.samples.length
  await load.settled()
  return percentile(load.samples.slice(first, last).map(({ took }) => took), 90)
}

/**
 * Waits until connections are made and code is compiled, then finds a load that this machine carries.
 * Resolves to whether there is one.
 */
const warmUp = async (load: Load): Promise<boolean> => {
  const limit = performance.now() + longestWarmUp
  let p90 = await measure(load)
  while (p90 > busy && performance.now() < limit) p90 = await measure(load)
  const found = p90
  while (p90 > busy && load.rate > fewestPerSecond) {
    load.changeRate(Math.max(fewestPerSecond, Math.floor(load.rate / 2)))
    p90 = await measure(load)
  }
  if (load.rate < requestsPerSecond) {
    print(yellow(`  This machine is busy (p90 ${found.toFixed(0)} ms): ` +
      `the load is ${load.rate} requests per second instead of ${requestsPerSecond}.`))
  }
  if (p90 > tooBusy) print(red(`  Too busy to show anything: nine answers in ten take up to ${p90.toFixed(0)} ms. Try again when it is not.`))
  return p90 <= tooBusy
}

/** Plays all acts; resolves to the claims that did not hold. */
const play = async (load: Load): Promise<readonly string[]> => {
  const failed: string[] = []
  for (const number of acts) {
    const act = story[number - 1]!
    print(`\n${bold(`Act ${number} · ${act.title}`)}\n  ${dim(act.about)}`)
    const stage = new Stage(shop, load)
    await act.play(stage)
    failed.push(...stage.failed.map((claim) => `act ${number}: ${claim}`))
  }
  return failed
}

try {
  print(`${bold('The shop')}: gateway → order ×2 → pricing 1.0.0 ×3 and 2.0.0 ×1, each a process of its own, found ${directory.about}${
    appMesh ? ', reached as examples/app-mesh/terraform says' : ''}${gateway ? ', the front door by createGateway' : ''}`)
  await shop.open()
  showAddresses()
  const load = new Load(`http://${shop.gateway!.address}`, requestsPerSecond, gateway)
  load.start()
  if (!await warmUp(load)) await leave(3)
  print(`  under ${load.rate} requests per second, one in twenty of them placing an order`)

  const failed = [...await play(load), ...shop.deaths]
  await load.stop()
  failed.push(...await epilogue(collector))
  if (gateway) failed.push(...await atTheDoor(shop.gateway!.address))

  print()
  for (const claim of failed) print(red(`FAILED  ${claim}`))
  if (failed.length > 0 || load.skipped > 0) {
    const average = `${loadavg()[0]!.toFixed(1)} on ${availableParallelism()} cores`
    if (load.skipped > 0) print(`${load.skipped} requests were held back, since too many were under way: the machine did not keep up.`)
    print(dim(`The machine's load average is ${average}: where processes wait for a core, time limits pass for no other reason.`))
  }
  const seconds = ((performance.now() - begun) / 1000).toFixed(0)
  print(dim(`${load.samples.length} requests in ${seconds} s`))
  if (failed.length === 0) print(green(`All ${acts.length === story.length ? 'five acts' : 'acts asked for'}, and the trace, showed what they claim.`))
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
