import { isIPv4, isIPv6 } from 'node:net'
import { z } from 'zod'
import { duration } from '../config/duration.ts'
import type { EndpointSpec } from '../core/endpoint.ts'
import { kind } from '../core/family.ts'
import type { Clock } from '../runtime/clock.ts'
import { mostListed, SdkClient, type CloudMapClient, type CloudMapWay, type Instance } from './cloud-map-client.ts'
import { awsAccess } from './cloud-map-sdk.ts'
import { Held, SharedClient, SharedService, type Known } from './cloud-map-service.ts'
import { addressOf, endpointsAmong, metadataOf, type Listed } from './instances.ts'
import type { Registry, Watch } from './registry.ts'

const attributes = z.record(z.string().min(1), z.string())

const cloudMapConfig = z.strictObject({
  namespace: z.string().min(1).describe('The namespace, by its HTTP name: the name itself, unless it was used before.'),
  service: z.string().min(1).describe('The name of the service.'),
  ownerAccount: z.string().regex(/^\d{12}$/, 'is not the number of an account: 12 digits').optional()
    .describe('The account that the namespace belongs to, where it is shared by another one.'),
  attributes: attributes.default({}).describe('Attributes that an instance must have, all of them.'),
  optionalAttributes: attributes.default({})
    .describe('Attributes to prefer: of those that would be used otherwise, the ones that have all of them, if there are any.'),
  health: z.enum(['healthy', 'healthy-or-else-all', 'all']).default('healthy-or-else-all')
    .describe('Which instances to use by their health in Cloud Map: all but the unhealthy, the same but all where none is left, or all. Unknown is not unhealthy.'),
  family: z.union([z.literal(4), z.literal(6), z.enum(['prefer-4', 'prefer-6'])]).default('prefer-4')
    .describe('Which address of an instance to dial: 4 or 6 only, or the other one where it has none of these.'),
  port: z.int().min(1).max(65_535).optional().describe('The port of instances that have none of their own.'),
  tls: z.boolean().optional().describe('Whether the endpoints are dialled with TLS; as the cluster says by default.'),
  interval: duration.default(5_000).refine((ms) => ms >= 1_000, 'must be at least 1s')
    .describe('How often the revision is asked for, which tells whether instances have come, gone or changed.'),
  refresh: duration.default(60_000).describe('How often all instances are asked for even so: changes of health move no revision.'),
  ...awsAccess,
  timeout: duration.default(5_000).refine((ms) => ms > 0, 'is no time at all: nobody could answer').describe('How long an answer may take.'),
}).refine(({ interval, refresh }) => refresh >= interval, { path: ['refresh'], error: 'is shorter than interval' })

type CloudMapConfig = z.output<typeof cloudMapConfig>

const matching = (instances: readonly Instance[], wanted: Readonly<Record<string, string>>): readonly Instance[] => {
  const pairs = Object.entries(wanted)
  return instances.filter(({ attributes }) => pairs.every(([name, value]) => attributes[name] === value))
}

/** The preferred ones, or all where there are none. */
const orElseAll = (instances: readonly Instance[], preferred: readonly Instance[]): readonly Instance[] => preferred.length > 0 ? preferred : instances

const ofHealth = (instances: readonly Instance[], wanted: CloudMapConfig['health']): readonly Instance[] => {
  if (wanted === 'all') return instances
  const well = instances.filter(({ health }) => health !== 'UNHEALTHY')
  return wanted === 'healthy' ? well : orElseAll(instances, well)
}

const hostOf = ({ attributes }: Instance, family: CloudMapConfig['family']): string | undefined => {
  const { AWS_INSTANCE_IPV4: v4 = '', AWS_INSTANCE_IPV6: v6 = '', AWS_INSTANCE_CNAME: name, AWS_ALIAS_DNS_NAME: alias } = attributes
  const found = { 4: isIPv4(v4) && v4, 6: isIPv6(v6) && v6 }
  const [first, second] = { 4: [found[4]], 6: [found[6]], 'prefer-4': [found[4], found[6]], 'prefer-6': [found[6], found[4]] }[family]
  return first || second || name || alias
}

const portOf = ({ attributes: { AWS_INSTANCE_PORT: own } }: Instance, port: number | undefined): number | undefined =>
  own === undefined ? port : /^\d{1,5}$/.test(own) ? Number(own) : undefined

const listed = (instance: Instance, { family, port, tls }: CloudMapConfig): Listed => ({
  id: instance.id,
  address: addressOf(hostOf(instance, family), portOf(instance, port)),
  ...(tls !== undefined && { tls }),
  metadata: metadataOf({ zone: instance.attributes['AVAILABILITY_ZONE'], ...instance.attributes }),
})

const byId = ({ id: one }: Instance, { id: other }: Instance): number => one < other ? -1 : 1

/** Of all instances those that are asked for, in the order of their ids: Cloud Map mixes them up anew for each answer. */
const endpointsOf = ({ instances }: Known, config: CloudMapConfig): readonly EndpointSpec[] => {
  const usable = ofHealth(matching(instances, config.attributes), config.health)
  const chosen = [...orElseAll(usable, matching(usable, config.optionalAttributes))].sort(byId)
  return endpointsAmong(chosen.map((instance) => listed(instance, config)), `Cloud Map's service '${config.service}' in '${config.namespace}'`)
}

const faultOf = ({ instances, missing }: Known, { namespace, service }: CloudMapConfig): string | undefined => instances.length < mostListed ? missing
  : `Cloud Map lists ${instances.length} instances of the service '${service}' in '${namespace}', as many as one answer holds: any beyond are unknown; spread them over several services`

/** Tells the watch of what is at fault with an answer that can be used all the same; once, until it changes. */
class Faults {
  readonly #watch: Watch
  #told: string | undefined

  constructor(watch: Watch) {
    this.#watch = watch
  }

  tell(fault: string | undefined, again: number): void {
    if (fault === this.#told) return
    this.#told = fault
    if (fault === undefined) this.#watch.recovered?.()
    else this.#watch.failed?.(new Error(fault), again)
  }
}

/** What the clusters of one process share: as they have one clock, by that. */
class Sharing {
  readonly #clients = new Held<SharedClient>()
  readonly #services = new Held<SharedService>()

  service({ namespace, service, ownerAccount, region, endpoint, credentials, timeout }: CloudMapConfig, clock: Clock, connect: Connect): SharedService {
    const way = { region, endpoint, credentials, timeout }
    const name = { namespace, service, ownerAccount }
    return this.#services.get(JSON.stringify([way, name]), () =>
      new SharedService(this.#clients.get(JSON.stringify(way), () => new SharedClient(connect(way, clock))), name, clock))
  }
}

type Connect = (way: CloudMapWay, clock: Clock) => CloudMapClient

/** The cloud-map kind with another client, for tests. */
export const cloudMapWith = (connect: Connect) => {
  const shared = new WeakMap<Clock, Sharing>()
  return kind('cloud-map', cloudMapConfig, (config, { clock, random }): Registry => {
    const sharing = shared.get(clock) ?? new Sharing()
    shared.set(clock, sharing)
    const service = sharing.service(config, clock, connect)
    return async function* (watch) {
      const faults = new Faults(watch)
      watch.pace?.(config.interval)
      service.join()
      try {
        while (!watch.signal.aborted) {
          const known = await service.look(config, watch.signal)
          // Up to a tenth sooner or later, so that many processes don't ask at one time.
          const due = known.checkedAt + config.interval * (0.9 + random() / 5)
          const again = Math.max(0, due - clock.now())
          faults.tell(faultOf(known, config), again)
          yield endpointsOf(known, config)
          await watch.wake.wait(again)
          // A timer may be early by a part of a millisecond; anything sooner was asked for, by somebody who doubts.
          if (clock.now() < due - 1) service.doubt()
        }
      } finally {
        service.leave()
      }
    }
  })
}

/**
 * The instances of a service in AWS Cloud Map. Asks for the revision of its list every few seconds, and for the list itself when that has moved, now and then
 * even so, and when somebody wants a look. All clusters of a process that watch one service share what is asked; attributes and health
 * are applied here. A service or namespace that does not exist is an empty set, told as a failure too. Needs `@aws-sdk/client-servicediscovery`.
 */
export const cloudMap = cloudMapWith((way, clock) => new SdkClient(way, clock))
