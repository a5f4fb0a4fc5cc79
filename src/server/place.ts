import { isIPv4, isIPv6, type AddressInfo } from 'node:net'
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os'
import { z } from 'zod'
import { ask, shaped } from '../registries/http.ts'
import { addressOf } from '../registries/instances.ts'
import type { Clock } from '../runtime/clock.ts'

/** Where an instance can be dialled, and what else its surroundings say of it. */
export interface Place {
  /** `host:port`, or `[v6]:port`. */
  readonly address: string
  /** The two parts of it; an IPv6 address without brackets. */
  readonly host: string
  readonly port: number
  readonly metadata: Readonly<Record<string, string>>
}

/** What the user says of it. */
export interface PlaceOptions {
  readonly address?: string | undefined
  readonly interface?: string | undefined
  readonly port?: number | undefined
  readonly zone?: string | undefined
}

/** What the process finds around it. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly interfaces: () => Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>
}

const thisProcess: Surroundings = { env: process.env, interfaces: networkInterfaces }

const longestAnswer = 2_000

const task = z.object({
  AvailabilityZone: z.string().optional(),
  Containers: z.array(z.object({
    Networks: z.array(z.object({
      NetworkMode: z.string(),
      IPv4Addresses: z.array(z.string()).default([]),
      IPv6Addresses: z.array(z.string()).default([]),
    })).default([]),
  })).default([]),
})

type Task = z.output<typeof task>

/** What ECS says of the task that this process is in; `undefined` outside of ECS. */
const ecsTask = async ({ env }: Surroundings, signal: AbortSignal, clock: Clock): Promise<Task | undefined> => {
  const server = env['ECS_CONTAINER_METADATA_URI_V4']
  if (!server) return undefined
  const question = { url: `${server}/task`, signal, clock, timeout: longestAnswer }
  return shaped(task, (await ask(question)).value, question)
}

/** The address of a task's own network interface; none in the mode `host`, where it is the machine's. */
const hostOfTask = ({ Containers }: Task): string | undefined => {
  const networks = Containers.flatMap((container) => container.Networks)
  const own = networks.filter(({ NetworkMode }) => NetworkMode === 'awsvpc')
  const found = own.flatMap(({ IPv4Addresses }) => IPv4Addresses)[0] ?? own.flatMap(({ IPv6Addresses }) => IPv6Addresses)[0]
  const bridged = networks.find(({ NetworkMode }) => NetworkMode === 'bridge' || NetworkMode === 'default')
  if (found === undefined && bridged) {
    throw new Error("the task's network mode is bridge, whose addresses nobody else can dial: say `address` and `port` of the machine")
  }
  return found
}

const hostOfInterface = (name: string, { interfaces }: Surroundings): string => {
  const known = interfaces()
  const found = Object.hasOwn(known, name) ? usable(known[name] ?? [])[0] : undefined
  if (found === undefined) throw new Error(`there is no interface '${name}' with an address that can be dialled: there are ${Object.keys(known).join(', ')}`)
  return found
}

/** Addresses by which others can dial, IPv4 first. Those of IPv6 that hold on their own link only need a zone, which nobody else knows. */
const usable = (addresses: readonly NetworkInterfaceInfo[]): readonly string[] => {
  const found = addresses.map(({ address }) => address).filter((address) => !/^(169\.254\.|fe[89ab].:)/i.test(address))
  return [...found.filter((address) => isIPv4(address)), ...found.filter((address) => isIPv6(address))]
}

const firstOutside = ({ interfaces }: Surroundings): string => {
  const outside = Object.values(interfaces()).flatMap((all) => all ?? []).filter(({ internal }) => !internal)
  const [found] = usable(outside)
  if (found === undefined) throw new Error('this machine has no address beside its loopback: say `address`')
  return found
}

/** The address that a server listens on, unless it is every address of the machine. */
const boundTo = ({ address }: AddressInfo): string | undefined => /^(0\.0\.0\.0|::)$/.test(address) ? undefined : address

/**
 * Finds where an instance can be dialled: `address`, or that of `interface`, or the one that its server listens on if it is a certain one, or that of its task by
 * ECS, or `POD_IP` as Kubernetes' downward API gives it, or the first one of the machine that is not its loopback. The zone is `zone`, or that of the task, or `POD_ZONE`.
 * Throws an `Error` that says what to write where there is none.
 */
export const findPlace = async (
  bound: AddressInfo | string | null, options: PlaceOptions, signal: AbortSignal, clock: Clock, around: Surroundings = thisProcess,
): Promise<Place> => {
  const { env } = around
  const own = typeof bound === 'object' && bound ? bound : undefined
  const port = options.port ?? own?.port
  if (port === undefined) throw new Error('the server listens on no port: say `address` and `port` by which it can be reached')
  const said = options.address ?? (options.interface === undefined ? own && boundTo(own) : hostOfInterface(options.interface, around))
  const found = said === undefined || options.zone === undefined ? await ecsTask(around, signal, clock) : undefined
  const host = said ?? (found && hostOfTask(found)) ?? (env['POD_IP'] || firstOutside(around))
  const address = addressOf(host, port)
  if (address === undefined) throw new Error(`'${host}' with port ${port} cannot be dialled: say \`address\` and \`port\``)
  const known = { zone: options.zone ?? found?.AvailabilityZone ?? env['POD_ZONE'], pod: env['POD_NAME'], node: env['NODE_NAME'] }
  return { address, host, port, metadata: Object.fromEntries(Object.entries(known).filter((entry): entry is [string, string] => Boolean(entry[1]))) }
}
