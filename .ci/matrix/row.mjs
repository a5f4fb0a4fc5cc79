/**
 * Tries all cases on one path, and prints what came of each as a line of JSON: `[[case, 'ok' or 'n/a' or the error], …]`.
 *
 *     node row.mjs <module of enmesh> <number of the path>
 */
import { cases } from './cases.mjs'
import { paths } from './paths.mjs'
import { startServer } from './server.mjs'

// Reached only by what hangs: a machine under load may take long for anything.
const patience = 20_000

const globals = () => [1, 2].map((version) => globalThis[Symbol.for(`undici.globalDispatcher.${version}`)])

const [, , enmesh, number] = process.argv
const before = globals()
const { createMesh } = await import(enmesh)
const after = globals()

const server = await startServer()
const route = { retry: { backoff: { max: 1 } }, timeout: '1m' }
const mesh = createMesh({
  services: {
    'svc.test': { cluster: 'svc', ...route },
    'brief.test': { cluster: 'svc', timeout: '30ms' },
    'refused.test': ['127.0.0.1:1'],
  },
  clusters: { svc: { registry: { type: 'static', endpoints: [server.address] }, breaker: false, outlier: false } },
  egress: { allow: [server.address, 'db.test'] },
  replayLimit: 1024,
})

const within = async (check) => {
  let timer
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`nothing within ${patience} ms`)), patience) })
  try {
    await Promise.race([check(), late])
    return 'ok'
  } catch (error) {
    return String(error?.stack ?? error)
  } finally {
    clearTimeout(timer)
  }
}

const results = []
const note = async (name, check) => { results.push([name, await within(check)]) }

await note('importing enmesh leaves the global dispatcher alone', async () => {
  if (before.some((one, index) => one !== after[index])) throw new Error('it was set')
})
const door = await paths[number].enter(mesh)
for (const { name, check, fits } of cases) {
  if (fits(door)) await note(name, () => check(door, server))
  else results.push([name, 'n/a'])
}
await note('nothing is left under way', async () => {
  for (;;) {
    const { calls, clusters: { svc } } = mesh.status()
    if (calls + svc.active + svc.pending === 0) return
    await new Promise((resolve) => { setTimeout(resolve, 5) })
  }
})
await note('a closed mesh says so', async () => {
  await mesh.close()
  const error = await (door.fetch ?? door.request)('http://svc.test/hello').then(() => new Error('it answered'), (error) => error)
  if ((error.cause ?? error).code !== 'ENMESH_CLOSED') throw error
})
server.stop()
console.log(JSON.stringify(results))
process.exit()
