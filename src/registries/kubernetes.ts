import { z } from 'zod'
import { duration } from '../config/duration.ts'
import type { EndpointSpec } from '../core/endpoint.ts'
import { kind } from '../core/family.ts'
import type { Clock } from '../runtime/clock.ts'
import { ask, askLines, placeOf, RefusedError, shaped, type Question } from './http.ts'
import { addressOf, endpointsAmong, metadataOf, type Listed } from './instances.ts'
import { accessByKubeconfig, accessInCluster, kubeconfigPath } from './kube-access.ts'
import { Looks } from './looks.ts'
import type { Registry } from './registry.ts'

const kubernetesConfig = z.strictObject({
  service: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "is not the name of a Service: write it without namespace and domain, as in 'pricing'")
    .describe('The name of the Service.'),
  namespace: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'is not the name of a namespace').optional()
    .describe("Its namespace; that of the pod, or of the kubeconfig's context, by default."),
  port: z.union([z.string().min(1), z.int().min(1).max(65_535)]).optional()
    .describe("Which port of the pods: its name in the Service, or its number at the pod. Needed where the Service has several."),
  tls: z.boolean().optional().describe('Whether the endpoints are dialled with TLS; as the cluster says by default.'),
  kubeconfig: z.union([z.literal(true), z.string().min(1)]).optional()
    .describe("Path of a kubeconfig, or true for the one that kubectl would use; the pod's service account by default."),
  context: z.string().min(1).optional().describe('The context of the kubeconfig; its current one by default.'),
  serviceAccount: z.string().min(1).default('/var/run/secrets/kubernetes.io/serviceaccount')
    .describe("Folder with the service account's token, ca.crt and namespace, read anew for each question."),
  refresh: duration.default(300_000).refine((ms) => ms >= 10_000, 'must be at least 10s').describe('How long one watch lasts before the next one takes over; at least 10s.'),
  timeout: duration.default(10_000).describe('How long the API server may take to answer.'),
}).refine(({ kubeconfig, context }) => context === undefined || kubeconfig !== undefined, { path: ['context'], error: 'is a context of a kubeconfig: write `kubeconfig` too' })

type KubernetesConfig = z.output<typeof kubernetesConfig>

const optional = <Shape extends z.ZodType>(shape: Shape) => shape.nullish().transform((value) => value ?? undefined)
const text = optional(z.string())
const flag = optional(z.boolean())

const slice = z.object({
  metadata: z.object({ uid: text, name: z.string(), resourceVersion: z.string() }),
  addressType: z.string(),
  endpoints: optional(z.array(z.object({
    addresses: z.array(z.string()),
    conditions: optional(z.object({ ready: flag, serving: flag, terminating: flag })),
    nodeName: text,
    zone: text,
    targetRef: optional(z.object({ uid: text, name: text })),
    hints: optional(z.object({ forZones: optional(z.array(z.object({ name: z.string() }))) })),
  }))),
  ports: optional(z.array(z.object({ name: text, port: optional(z.number()), protocol: text }))),
})

type Slice = z.output<typeof slice>
type Ready = 'ready' | 'serving' | 'no'

const list = z.object({ metadata: z.object({ resourceVersion: z.string(), continue: text }), items: optional(z.array(slice)) })
const event = z.object({ type: z.string(), object: z.unknown() })
const bookmark = z.object({ metadata: z.object({ resourceVersion: z.string() }) })
const failure = z.object({ code: optional(z.number()), message: text })

const gone = 410
/** A hundred times five hundred slices are far more than a Service has: a server, or what stands before it, that always has one more page does not turn them. */
const mostPages = 100

/** What the API server has told of the slices so far, and up to which version. */
interface Known {
  readonly slices: Map<string, Slice>
  version: string
}

const portOf = ({ ports = [] }: Slice, { service, port }: KubernetesConfig): number | undefined => {
  const tcp = ports.filter(({ protocol = 'TCP' }) => protocol === 'TCP')
  if (port === undefined && tcp.length > 1) {
    throw new Error(`the Service '${service}' has several ports (${tcp.map(({ name, port }) => `${name ?? ''} ${port ?? 'any'}`).join(', ')}): write \`port\`, its name or number`)
  }
  // A port without a number stands for all of them, as does a list without ports.
  if (typeof port === 'number') return tcp.length === 0 || tcp.some((one) => one.port === port || one.port === undefined) ? port : undefined
  return tcp.find(({ name = '' }) => port === undefined || name === port)?.port
}

/** Absent conditions mean that all is well: so the API says. */
const readiness = ({ conditions }: NonNullable<Slice['endpoints']>[number]): Ready => {
  const ready = conditions?.ready ?? true
  return ready ? 'ready' : conditions?.serving ? 'serving' : 'no'
}

/**
 * The pods that are ready; where none is, those that still serve while they terminate, which is better than nothing.
 * A pod may be in several slices, with another address in each: it is one endpoint, with its IPv4 address if it has one.
 */
const endpointsOf = (slices: Iterable<Slice>, config: KubernetesConfig, place: string): readonly EndpointSpec[] => {
  const found: Record<Ready, Listed[]> = { ready: [], serving: [], no: [] }
  const inOrder = [...slices].sort((one, other) => one.addressType.localeCompare(other.addressType) || one.metadata.name.localeCompare(other.metadata.name))
  for (const one of inOrder) {
    const port = one.endpoints?.length ? portOf(one, config) : undefined
    for (const endpoint of one.endpoints ?? []) {
      const { addresses: [host], zone, nodeName, targetRef, hints } = endpoint
      const address = addressOf(host, port)
      found[readiness(endpoint)].push({
        address,
        ...((targetRef?.uid ?? address) !== undefined && { id: targetRef?.uid ?? address! }),
        ...(config.tls !== undefined && { tls: config.tls }),
        metadata: metadataOf({ zone, node: nodeName, pod: targetRef?.name, hints: hints?.forZones?.map(({ name }) => name).join(',') }),
      })
    }
  }
  return endpointsAmong(found.ready.length > 0 ? found.ready : found.serving, place)
}

/** A question about the slices of the Service, with the access that is valid now. */
const questionOf = async (config: KubernetesConfig, signal: AbortSignal, clock: Clock): Promise<Question & { readonly query: URLSearchParams }> => {
  const { server, headers, tls, namespace } = config.kubeconfig === undefined
    ? await accessInCluster(config.serviceAccount)
    : await accessByKubeconfig(kubeconfigPath(config.kubeconfig), config.context)
  return {
    url: `${server}/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(config.namespace ?? namespace)}/endpointslices`,
    query: new URLSearchParams({ labelSelector: `kubernetes.io/service-name=${config.service}` }),
    headers, tls, signal, clock,
    timeout: config.timeout,
  }
}

/** All slices, page by page. */
const listed = async (question: Question & { readonly query: URLSearchParams }): Promise<Known> => {
  const slices = new Map<string, Slice>()
  question.query.set('limit', '500')
  for (let page = 0; page < mostPages; page++) {
    const { metadata, items = [] } = shaped(list, (await ask(question)).value, question)
    for (const item of items) slices.set(item.metadata.name, item)
    if (!metadata.continue) return { slices, version: metadata.resourceVersion }
    question.query.set('continue', metadata.continue)
  }
  throw new Error(`${placeOf(question)} has more than ${mostPages} pages of slices: check that what stands before the API server passes \`continue\` on`)
}

/** Says `known`, changed in place, after each change; its version is empty once the server has forgotten it. */
async function* changes(config: KubernetesConfig, known: Known, signal: AbortSignal, clock: Clock): AsyncGenerator<Known> {
  const question = await questionOf(config, signal, clock)
  const seconds = Math.round(config.refresh / 1_000)
  for (const [name, value] of Object.entries({ watch: '1', allowWatchBookmarks: 'true', resourceVersion: known.version, timeoutSeconds: String(seconds) })) {
    question.query.set(name, value)
  }
  // The server ends the watch by itself; if it cannot, because the connection is dead, we do.
  for await (const said of askLines({ ...question, also: [gone], patient: true }, config.refresh + config.timeout)) {
    if (said instanceof RefusedError) return void (known.version = '')
    const { type, object } = shaped(event, said, question)
    if (type === 'ERROR') {
      const { code, message = 'it gave no reason' } = shaped(failure, object, question)
      if (code === gone) return void (known.version = '')
      throw new Error(`${placeOf(question)} ended the watch: ${message}`)
    }
    if (type === 'BOOKMARK') {
      known.version = shaped(bookmark, object, question).metadata.resourceVersion
      continue
    }
    const changed = shaped(slice, object, question)
    known.version = changed.metadata.resourceVersion
    if (type === 'DELETED') known.slices.delete(changed.metadata.name)
    else known.slices.set(changed.metadata.name, changed)
    yield known
  }
}

/**
 * The pods behind a Service of Kubernetes, from its EndpointSlices: listed once, and watched from that version on.
 * No slices, or none with endpoints that serve, is an empty set. Needs leave to list and watch `endpointslices` of `discovery.k8s.io` in the namespace.
 */
export const kubernetes = kind('kubernetes', kubernetesConfig, (config, { clock }): Registry => async function* (watch) {
  const { signal } = watch
  const looks = new Looks(watch, clock)
  const place = `the Service '${config.service}'`
  let known: Known | undefined
  while (!signal.aborted) {
    if (looks.take() || !known || known.version === '') {
      known = await listed(await questionOf(config, signal, clock))
      yield endpointsOf(known.slices.values(), config, place)
    }
    const current: Known = known
    for await (const { slices } of looks.until((stop) => changes(config, current, stop, clock))) yield endpointsOf(slices.values(), config, place)
  }
})
