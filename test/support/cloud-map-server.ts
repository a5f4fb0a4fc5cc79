import { seededRandom } from '../../src/testing/index.ts'
import { fits, readSignature } from './aws-signature.ts'
import { Queue } from './queue.ts'
import { RegistryServer, type Asked } from './registry-server.ts'

/** What callers must sign with. */
export const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
/** The region that the server is of. */
export const region = 'eu-test-1'

export type Attributes = Readonly<Record<string, string>>
export type Health = 'HEALTHY' | 'UNHEALTHY' | 'UNKNOWN'

/** An instance as it stands. */
export interface Instance {
  readonly id: string
  readonly attributes: Attributes
  health: Health
}

/** A call of the API, as it was understood. */
export interface Called {
  readonly operation: string
  readonly input: Readonly<Record<string, any>> // eslint-disable-line @typescript-eslint/no-explicit-any -- whatever is asked
}

/** What the API refuses with: the name of its error, words, and the HTTP status. */
export class Refusal extends Error {
  readonly type: string
  readonly status: number

  constructor(type: string, message: string, status = 400) {
    super(message)
    this.type = type
    this.status = status
  }
}

interface Service {
  readonly id: string
  readonly namespace: string
  readonly name: string
  readonly customHealth: boolean
  readonly instances: Map<string, Instance>
  revision: bigint
}

interface Operation {
  readonly id: string
  readonly type: 'REGISTER_INSTANCE' | 'DEREGISTER_INSTANCE'
  readonly service: string
  readonly instance: string
  readonly creator: string | undefined
  /** Whether it has come to its end. */
  done: boolean
  /** Why it came to nothing. */
  failure: string | undefined
  /** Whether it was asked for since it was done. */
  told: boolean
}

const most = 1_000
/** Where revisions begin: real ones are far above what a number of JavaScript's holds exactly. */
const firstRevision = 71_462_688_285_136_850n
const addressed = ['AWS_INSTANCE_IPV4', 'AWS_INSTANCE_IPV6', 'AWS_INSTANCE_CNAME', 'AWS_ALIAS_DNS_NAME', 'AWS_EC2_INSTANCE_ID']

/**
 * Cloud Map as its API speaks: JSON 1.1, the operation in `X-Amz-Target`, requests signed and verified, errors by their `__type`. It has
 * what discovery and registration call. Lists come in a random order and end at a thousand; the revision stands still when only health changes.
 *
 * Registering and deregistering are operations: `GetOperation` tells PENDING once, then SUCCESS or FAIL. They, and changes of health, take effect
 * at once, or while `held` only when `release` is called.
 */
export class CloudMapServer {
  readonly server: RegistryServer
  /** The operations that were called, in order. */
  readonly log: string[] = []
  /** The calls as they come. */
  readonly calls = new Queue<Called>()
  /** Runs before each call; throws a `Refusal` where it shall not be answered as usual. */
  trouble: ((called: Called) => void) | undefined
  /** Whether changes take effect at `release` only. */
  held = false
  /** Makes the next registration or deregistration come to nothing, for this reason. */
  failNext: string | undefined
  readonly #services = new Map<string, Service>()
  readonly #operations = new Map<string, Operation>()
  readonly #waiting: (() => void)[] = []
  readonly #random = seededRandom(7)
  #ids = 0

  private constructor(server: RegistryServer) {
    this.server = server
  }

  static async start(): Promise<CloudMapServer> {
    const server: RegistryServer = await RegistryServer.start((asked) => made.#take(asked))
    const made = new CloudMapServer(server)
    return made
  }

  /** The URL to give the client as its endpoint, without the prefix that discovery calls put before the host. */
  get url(): string {
    return this.server.url
  }

  close(): Promise<void> {
    return this.server.close()
  }

  /** Creates a service, and its namespace with it; its instances have a health of their own if `customHealth` says so. Returns its id. */
  addService(namespace: string, name: string, { customHealth = true } = {}): string {
    const id = `srv-${name}-${++this.#ids}`
    this.#services.set(id, { id, namespace, name, customHealth, instances: new Map(), revision: firstRevision })
    return id
  }

  /** Takes a service away, with all its instances. */
  removeService(id: string): void {
    this.#services.delete(id)
  }

  /** Puts an instance there, or another one in its place. */
  put(service: string, id: string, { AWS_INIT_HEALTH_STATUS: initial, ...attributes }: Attributes): void {
    const found = this.#byId(service)
    const health = found.instances.get(id)?.health ?? (initial as Health | undefined) ?? 'HEALTHY'
    found.instances.set(id, { id, attributes, health })
    found.revision++
  }

  /** Takes an instance away. */
  remove(service: string, id: string): void {
    const found = this.#byId(service)
    if (found.instances.delete(id)) found.revision++
  }

  /** Changes the health of an instance, which moves no revision. */
  setHealth(service: string, id: string, health: Health): void {
    this.#byId(service).instances.get(id)!.health = health
  }

  /** The instances of a service. */
  instances(service: string): readonly Instance[] {
    return [...this.#byId(service).instances.values()]
  }

  /** The revision of a service's list. */
  revision(service: string): bigint {
    return this.#byId(service).revision
  }

  /** Lets take effect what was held. */
  release(): void {
    for (const effect of this.#waiting.splice(0)) effect()
  }

  #take(asked: Asked): void {
    try {
      const called = read(asked)
      this.log.push(called.operation)
      this.calls.put(called)
      this.trouble?.(called)
      this.#answer(asked, 200, this.#perform(called))
    } catch (error) {
      const { type, message, status } = error instanceof Refusal ? error : new Refusal('InternalFailure', String(error), 500)
      this.#answer(asked, status, { __type: `com.amazonaws.servicediscovery#${type}`, Message: message })
    }
  }

  #answer({ response }: Asked, status: number, body: object): void {
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': `request-${++this.#ids}` })
    // JSON.stringify knows no bigint.
    response.end(JSON.stringify(body, (_, value: unknown) => typeof value === 'bigint' ? `${value}n` : value).replace(/"(\d+)n"/, '$1'))
  }

  #perform({ operation, input }: Called): object {
    switch (operation) {
      case 'DiscoverInstances': return this.#discover(input)
      case 'DiscoverInstancesRevision': return { InstancesRevision: this.#named(input).revision }
      case 'RegisterInstance': return this.#register(input)
      case 'DeregisterInstance': return this.#deregister(input)
      case 'UpdateInstanceCustomHealthStatus': return this.#updateHealth(input)
      case 'GetOperation': return this.#operation(input)
      case 'GetInstance': return { Instance: shown(this.#instance(input)) }
      case 'ListInstances': return page('Instances', this.instances(needed(input, 'ServiceId')).map(shown), input)
      case 'ListNamespaces': return page('Namespaces', this.#namespaces(), input)
      case 'ListServices': return page('Services', this.#servicesIn(input), input)
      default: throw new Refusal('UnknownOperationException', operation)
    }
  }

  #byId(id: string): Service {
    const service = this.#services.get(id.replace(/^arn:.*:service\//, ''))
    if (!service) throw new Refusal('ServiceNotFound', `Service not found: ${id}`)
    return service
  }

  /** The one that a discovery call names. */
  #named(input: Called['input']): Service {
    const [namespace, name] = [needed(input, 'NamespaceName'), needed(input, 'ServiceName')]
    const inside = [...this.#services.values()].filter((service) => service.namespace === namespace)
    if (inside.length === 0) throw new Refusal('NamespaceNotFound', `Namespace not found: ${namespace}`)
    const service = inside.find((one) => one.name === name)
    if (!service) throw new Refusal('ServiceNotFound', `Service not found: ${name}`)
    return service
  }

  #instance(input: Called['input']): Instance {
    const id = needed(input, 'InstanceId')
    const instance = this.#byId(needed(input, 'ServiceId')).instances.get(id)
    if (!instance) throw new Refusal('InstanceNotFound', `Instance not found: ${id}`)
    return instance
  }

  #discover(input: Called['input']): object {
    const limit = (input['MaxResults'] as number | undefined) ?? 100
    if (limit < 1 || limit > most) throw new Refusal('InvalidInput', `MaxResults must be from 1 to ${most}`)
    const service = this.#named(input)
    const { customHealth, instances, namespace, name, revision } = service
    const wanted = customHealth ? (input['HealthStatus'] as string | undefined) ?? 'HEALTHY' : 'ALL'
    const chosen = preferred(ofHealth(matching([...instances.values()], input['QueryParameters']), wanted), input['OptionalParameters'])
    return {
      InstancesRevision: revision,
      Instances: this.#shuffled(chosen).slice(0, limit).map(({ id, attributes, health }) => ({
        InstanceId: id, NamespaceName: namespace, ServiceName: name, HealthStatus: customHealth ? health : 'UNKNOWN', Attributes: attributes,
      })),
    }
  }

  #shuffled<T>(items: readonly T[]): T[] {
    return items.map((item) => ({ item, at: this.#random() })).sort((one, other) => one.at - other.at).map(({ item }) => item)
  }

  #register(input: Called['input']): object {
    const service = this.#byId(needed(input, 'ServiceId'))
    const instance = needed(input, 'InstanceId')
    const attributes = needed<Attributes>(input, 'Attributes')
    if (!/^[0-9a-zA-Z_/:.@-]{1,64}$/.test(instance)) throw new Refusal('InvalidInput', `InstanceId '${instance}' is not valid`)
    if (!addressed.some((name) => name in attributes)) throw new Refusal('InvalidInput', `Attributes need one of ${addressed.join(', ')}`)
    const creator = input['CreatorRequestId'] as string | undefined
    const before = creator === undefined ? undefined : [...this.#operations.values()].find((one) => one.creator === creator && one.instance === instance)
    if (before) return { OperationId: before.id }
    return this.#submit({ type: 'REGISTER_INSTANCE', service: service.id, instance, creator }, () => this.put(service.id, instance, attributes))
  }

  #deregister(input: Called['input']): object {
    const service = this.#byId(needed(input, 'ServiceId')).id
    const { id } = this.#instance(input)
    return this.#submit({ type: 'DEREGISTER_INSTANCE', service, instance: id, creator: undefined }, () => this.remove(service, id))
  }

  #submit(what: Pick<Operation, 'type' | 'service' | 'instance' | 'creator'>, effect: () => void): object {
    const busy = [...this.#operations.values()].find(({ done, service, instance }) => !done && service === what.service && instance === what.instance)
    if (busy) throw new Refusal('DuplicateRequest', `Operation ${busy.id} is in progress for instance ${what.instance}`)
    const operation: Operation = { ...what, id: `op-${++this.#ids}`, done: false, failure: this.failNext, told: false }
    this.failNext = undefined
    this.#operations.set(operation.id, operation)
    this.#let(() => {
      operation.done = true
      if (operation.failure === undefined) effect()
    })
    return { OperationId: operation.id }
  }

  #let(effect: () => void): void {
    if (this.held) this.#waiting.push(effect)
    else effect()
  }

  #operation(input: Called['input']): object {
    const id = needed(input, 'OperationId')
    const operation = this.#operations.get(id)
    if (!operation) throw new Refusal('OperationNotFound', `Operation not found: ${id}`)
    const { type, service, instance, done, told, failure } = operation
    operation.told ||= done
    const status = !done || !told ? 'PENDING' : failure === undefined ? 'SUCCESS' : 'FAIL'
    return {
      Operation: {
        Id: id, Type: type, Status: status, Targets: { SERVICE: service, INSTANCE: instance },
        ...(status === 'FAIL' && { ErrorCode: 'INTERNAL_FAILURE', ErrorMessage: failure }),
      },
    }
  }

  #updateHealth(input: Called['input']): object {
    const service = this.#byId(needed(input, 'ServiceId'))
    const status = needed<Health>(input, 'Status')
    if (status !== 'HEALTHY' && status !== 'UNHEALTHY') throw new Refusal('InvalidInput', `Status '${String(status)}' is not valid`)
    if (!service.customHealth) throw new Refusal('CustomHealthNotFound', `Service ${service.id} has no custom health check`)
    const instance = this.#instance(input)
    this.#let(() => { instance.health = status })
    return {}
  }

  #namespaces(): object[] {
    const names = [...new Set([...this.#services.values()].map(({ namespace }) => namespace))]
    return names.map((name) => ({ Id: namespaceId(name), Name: name, Type: 'HTTP', Properties: { HttpProperties: { HttpName: name } } }))
  }

  #servicesIn(input: Called['input']): object[] {
    const filters = (input['Filters'] ?? []) as readonly { readonly Name: string, readonly Values: readonly string[] }[]
    const namespaces = filters.find(({ Name }) => Name === 'NAMESPACE_ID')?.Values
    return [...this.#services.values()]
      .filter(({ namespace }) => !namespaces || namespaces.includes(namespaceId(namespace)))
      .map(({ id, name, customHealth, instances }) => ({
        Id: id, Arn: `arn:aws:servicediscovery:${region}:123456789012:service/${id}`, Name: name, Type: 'HTTP', InstanceCount: instances.size,
        ...(customHealth && { HealthCheckCustomConfig: { FailureThreshold: 1 } }),
      }))
  }
}

const namespaceId = (name: string): string => `ns-${name}`

const needed = <T = string>(input: Called['input'], name: string): T => {
  if (input[name] === undefined) throw new Refusal('InvalidInput', `${name} is required`)
  return input[name] as T
}

const read = ({ method, path, headers, body }: Asked): Called => {
  const [, operation] = /^Route53AutoNaming_v20170314\.(\w+)$/.exec(String(headers['x-amz-target'])) ?? []
  if (method !== 'POST' || path !== '/' || headers['content-type'] !== 'application/x-amz-json-1.1' || operation === undefined) {
    throw new Refusal('UnknownOperationException', `${method} ${path} with the target ${String(headers['x-amz-target'])}`)
  }
  const signature = readSignature(headers.authorization)
  if (!signature) throw new Refusal('MissingAuthenticationTokenException', 'Missing Authentication Token')
  if (!signature.scope.endsWith(`/${region}/servicediscovery/aws4_request`)) throw new Refusal('InvalidSignatureException', `Credential should be scoped to '${region}'`)
  if (signature.key !== credentials.accessKeyId) throw new Refusal('UnrecognizedClientException', 'The security token included in the request is invalid.')
  if (!fits(signature, credentials.secretAccessKey, headers, body)) throw new Refusal('InvalidSignatureException', 'The request signature we calculated does not match.')
  return { operation, input: JSON.parse(body) as Called['input'] }
}

const matching = (instances: readonly Instance[], wanted: Attributes = {}): readonly Instance[] =>
  instances.filter(({ attributes }) => Object.entries(wanted).every(([name, value]) => attributes[name] === value))

const ofHealth = (instances: readonly Instance[], wanted: string): readonly Instance[] => {
  if (wanted === 'ALL') return instances
  const found = instances.filter(({ health }) => health === (wanted === 'UNHEALTHY' ? 'UNHEALTHY' : 'HEALTHY'))
  return found.length === 0 && wanted === 'HEALTHY_OR_ELSE_ALL' ? instances : found
}

const preferred = (instances: readonly Instance[], wanted: Attributes = {}): readonly Instance[] => {
  const found = matching(instances, wanted)
  return found.length === 0 ? instances : found
}

const shown = ({ id, attributes }: Instance): object => ({ Id: id, Attributes: attributes })

const page = (name: string, all: readonly object[], { MaxResults: limit = 100, NextToken: from = '0' }: Called['input']): object => {
  const end = Number(from) + Number(limit)
  return { [name]: all.slice(Number(from), end), ...(end < all.length && { NextToken: String(end) }) }
}
