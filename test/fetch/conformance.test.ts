import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createMesh, type Mesh } from '../../src/index.ts'
import { cases, type Fetch, type Stage } from './cases.ts'
import { Origin } from './origin.ts'
import { outcomeOf } from './outcome.ts'

/*
 * What the platform's `fetch` does, `mesh.fetch` does: each case is played on both and the findings are compared. And once more on the
 * road of the mesh that it would not have taken by itself, since which road a request takes must not be seen.
 */

const [first, second, gone] = [new Origin(), new Origin(), new Origin()]
let mesh: Mesh
let at: Omit<Stage, 'fetch'>

before(async () => {
  await Promise.all([first, second, gone].map((origin) => origin.start()))
  const { host: nobody, url: nobodyUrl } = gone
  await gone.stop()
  mesh = createMesh({
    services: Object.fromEntries([first.host, second.host, nobody].map((host) => [host, { routes: [{ to: host, retry: false as const }] }])),
    clusters: Object.fromEntries([first.host, second.host, nobody].map((host) =>
      [host, { registry: { type: 'static', endpoints: [host] }, breaker: false as const, outlier: false as const }])),
    // What the mesh adds to each request is no matter of `fetch`.
    telemetry: { requestId: false, deadline: false },
  }, { errors: 'fetch' })
  at = { origin: first.url, other: second.url, nobody: nobodyUrl, arrival: () => first.arrival() }
})

after(async () => {
  await mesh.close()
  await Promise.all([first.stop(), second.stop()])
})

const platform: Fetch = (...args) => fetch(...args as Parameters<typeof fetch>)
const straight: Fetch = (...args) => mesh.fetch(...args as Parameters<typeof fetch>)
// An option that says nothing new, and that only the platform is asked about.
const roundabout: Fetch = (input, init) => mesh.fetch(input as string, { referrerPolicy: '', ...init as object } as RequestInit)

const isObject = (init: unknown): boolean => init === undefined || (typeof init === 'object' && init !== null && Object.getPrototypeOf(init) === Object.prototype)

const major = Number(process.versions.node.split('.')[0])

for (const { name, find, differsRoundabout, differsOn, differs = differsOn?.[major] } of cases) {
  test(differs ? `${name} (differs: ${differs})` : name, async () => {
    let canGoAround = differsRoundabout === undefined
    const noting: Fetch = (...args) => {
      canGoAround &&= isObject(args[1]) && (typeof args[0] === 'string' || args[0] instanceof URL)
      return platform(...args)
    }
    const theirs = await outcomeOf(() => find({ ...at, fetch: noting }))
    const ours = await outcomeOf(() => find({ ...at, fetch: straight }))
    if (differs) return assert.notDeepEqual(ours, theirs)
    assert.deepEqual(ours, theirs)
    if (canGoAround) assert.deepEqual(await outcomeOf(() => find({ ...at, fetch: roundabout })), theirs, 'by way of the platform')
  })
}
