/**
 * The ways in which a request can reach the dispatcher. Each is tried in a process of its own, since loading an undici, and
 * setting a global dispatcher even more, changes what `fetch` does in the whole of it.
 *
 * `enter(mesh)` loads what it needs and returns what the cases use: `fetch` or `request` with the dispatcher already given to it,
 * `follows` and `decodes` when redirects and encodings are dealt with, and classes that belong to it.
 */
const load = (version) => import(version === 8 ? 'undici' : `undici${version}`)
const node = Number(process.versions.node.split('.')[0])

const platform = { FormData, Request, follows: true, decodes: true }
const classes = ({ FormData, Request, WebSocket, EventSource }) => ({ FormData, Request, WebSocket, EventSource })
const given = (send, dispatcher) => (url, options) => send(url, { ...options, dispatcher })

const path = (name, enter, lacks) => ({ name, enter, lacks })

const direct = [6, 7, 8].flatMap((version) => [
  path(`fetch of undici ${version}, dispatcher given`, async ({ dispatcher }) => {
    const undici = await load(version)
    return { ...classes(undici), fetch: given(undici.fetch, dispatcher), undici, dispatcher, follows: true, decodes: true }
  }),
  path(`request of undici ${version}, dispatcher given`, async ({ dispatcher }) => {
    const undici = await load(version)
    return { ...classes(undici), request: given(undici.request, dispatcher), undici, dispatcher }
  }),
])

// undici 6 does not know the place where the fetch of Node 26 looks for its dispatcher.
const outOfReach = (version) => version === 6 && node >= 26 ? "undici 6 cannot set the dispatcher of Node 26's fetch" : undefined

const global = [6, 7, 8].flatMap((version) => [
  path(`built-in fetch, global dispatcher of undici ${version}`, async ({ dispatcher }) => {
    const undici = await load(version)
    undici.setGlobalDispatcher(dispatcher)
    return { ...platform, WebSocket, fetch, undici }
  }, outOfReach(version)),
  path(`fetch of undici ${version}, its global dispatcher`, async ({ dispatcher }) => {
    const undici = await load(version)
    undici.setGlobalDispatcher(dispatcher)
    return { ...classes(undici), fetch: undici.fetch, undici, follows: true, decodes: true }
  }),
  path(`request of undici ${version}, its global dispatcher`, async ({ dispatcher }) => {
    const undici = await load(version)
    undici.setGlobalDispatcher(dispatcher)
    return { ...classes(undici), request: undici.request, undici }
  }),
])

const redirect = { maxRedirections: 5 }

/** Faults of older interceptors, which have them over undici's own Agent too: 1xx breaks retry and decompress, and those of undici 6 know old handlers only. */
const faults = (version) => ({ confusedBy103: version < 8, oldOnly: version === 6 })

const composed = [
  ...[6, 7, 8].map((version) => path(`built-in fetch, interceptors of undici ${version} around`, async (mesh) => {
    const { interceptors } = await load(version)
    const dispatcher = mesh.dispatcher.compose(interceptors.retry({ statusCodes: [] }), interceptors.redirect(redirect))
    return { ...platform, ...faults(version), WebSocket, fetch: given(fetch, dispatcher), dispatcher }
  }, version === 6 && node >= 26 ? "interceptors of undici 6 do not know the handlers of Node 26's fetch" : undefined)),
  ...[6, 7, 8].map((version) => path(`fetch of undici ${version}, its interceptors around`, async (mesh) => {
    const undici = await load(version)
    const { interceptors } = undici
    const dispatcher = mesh.dispatcher.compose(interceptors.redirect(redirect), interceptors.retry({ statusCodes: [] }))
    return { ...classes(undici), ...faults(version), fetch: given(undici.fetch, dispatcher), dispatcher, follows: true, decodes: true }
  })),
  ...[6, 7, 8].map((version) => path(`request of undici ${version}, its interceptors around`, async (mesh) => {
    const undici = await load(version)
    const { interceptors } = undici
    // undici 6 has no interceptor that decodes.
    const dispatcher = mesh.dispatcher.compose(interceptors.decompress?.(), interceptors.redirect(redirect))
    return {
      ...classes(undici), ...faults(version), request: given(undici.request, dispatcher), undici, dispatcher,
      follows: true, decodes: interceptors.decompress !== undefined,
    }
  })),
  ...[[6, 8], [7, 8], [8, 7]].map(([asking, between]) => path(`request of undici ${asking}, interceptors of undici ${between} around`, async (mesh) => {
    const undici = await load(asking)
    const { interceptors } = await load(between)
    const dispatcher = mesh.dispatcher.compose(interceptors.decompress(), interceptors.redirect(redirect))
    return { ...classes(undici), ...faults(between), request: given(undici.request, dispatcher), undici, dispatcher, follows: true, decodes: true }
  })),
  path('request of undici 8, interceptors of undici 6 around', undefined, 'interceptors of undici 6 speak to old handlers only'),
  path('built-in fetch, interceptors of undici 8 around, set as its global dispatcher', async (mesh) => {
    const undici = await load(8)
    undici.setGlobalDispatcher(mesh.dispatcher.compose(undici.interceptors.redirect(redirect)))
    return { ...platform, WebSocket, fetch, undici }
  }),
]

export const paths = [
  path('mesh.fetch', async (mesh) => ({ ...platform, fetch: mesh.fetch })),
  path('built-in fetch, dispatcher given', async ({ dispatcher }) => ({ ...platform, WebSocket, fetch: given(fetch, dispatcher), dispatcher })),
  path('built-in fetch, dispatcher given, undici 8 loaded', async ({ dispatcher }) => {
    await load(8)
    return { ...platform, WebSocket, fetch: given(fetch, dispatcher), dispatcher }
  }),
  ...direct,
  ...global,
  ...composed,
]
