import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { request as forward } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream'
import { stringify } from 'yaml'
import { CloudMapServer, Refusal } from '../../support/cloud-map-server.ts'
import { cloudMapWayTo } from '../../support/cloud-map-way.ts'
import { Dnsmasq, withoutDnsmasq } from '../../support/dnsmasq.ts'
import { Etcd, etcdMissing } from '../../support/etcd.ts'
import { DatagramRelay } from './datagram-relay.ts'
import { asConsul, asEureka, asKubernetes, HttpRegistry, type Answer } from './http-registry.ts'

/** What may be wrong with a registry. One that flaps is killed and comes back, over and over; one that is throttled says that it is asked too often. */
export type Fault = 'killed' | 'garbage' | 'empty' | 'late' | 'flapping' | 'throttled'

/** How long things take, in milliseconds. */
export interface Pace {
  /** How late an answer of a registry that answers late is. */
  readonly late: number
  /** Longest time that a registry is waited for; its own default if that is shorter. */
  readonly timeout: number
}

/** A registry that lists addresses, and can have a fault. */
export interface Station {
  /** As a cluster's configuration has it. */
  readonly registry: object
  /** Milliseconds within which it is asked again, once it has failed: its poll interval, or the longest back-off. */
  readonly interval: number
  /** Milliseconds after which a question is given up. */
  readonly timeout: number
  list(addresses: readonly string[]): Promise<void>
  begin(fault: Exclude<Fault, 'flapping'>): Promise<void>
  /** Resolves when it is well again. */
  end(): Promise<void>
  close(): Promise<void>
}

/** Starts a station for one fault. */
export interface StationKind {
  readonly type: string
  /** Faults that it can have; the others are none where it is asked. */
  readonly faults: readonly Fault[]
  /** Why it is left out; false where it is not. */
  readonly missing: string | false
  start(addresses: readonly string[], pace: Pace): Promise<Station>
}

const longestBackOff = 30_000
const all: readonly Fault[] = ['killed', 'garbage', 'empty', 'late', 'flapping']

/** Faults of any server that is asked by HTTP. */
type Ordinary = Exclude<Fault, 'flapping' | 'throttled'>

const spoil = async (server: HttpRegistry, fault: Ordinary, late: number): Promise<void> => {
  if (fault === 'killed') return server.kill()
  if (fault === 'late') server.late = late
  else server.trouble = fault
  if (fault === 'empty') server.changed()
  else server.cut()
}

const mend = async (server: HttpRegistry): Promise<void> => {
  const killed = server.trouble === undefined && server.late === 0
  server.trouble = undefined
  server.late = 0
  if (killed) await server.listen()
  else server.changed()
}

const served = (type: string, answer: Answer, interval: number, configOf: (url: string, timeout: number) => object): StationKind => ({
  type, faults: all, missing: false,
  start: async (addresses, { late, timeout: longest }) => {
    const server = await HttpRegistry.start(addresses, answer)
    const timeout = Math.min(10_000, longest)
    return {
      registry: { type, ...configOf(server.url, timeout) }, interval, timeout,
      list: async (addresses) => server.list(addresses),
      begin: (fault) => spoil(server, fault as Ordinary, late),
      end: () => mend(server),
      close: () => server.close(),
    }
  },
})

const consul = served('consul', asConsul, longestBackOff, (url, timeout) => ({ servers: [url], service: 'shop', timeout }))
const eureka = (interval: number): StationKind =>
  served('eureka', asEureka, interval, (url, timeout) => ({ servers: [`${url}/eureka`], app: 'shop', interval, timeout }))

const kubeconfigs = mkdtempSync(join(tmpdir(), 'enmesh-soak-'))
process.once('exit', () => rmSync(kubeconfigs, { recursive: true, force: true }))

const kubeconfigOf = (server: string): string => {
  const path = join(kubeconfigs, `${new URL(server).port}.yaml`)
  writeFileSync(path, stringify({
    'current-context': 'here',
    'contexts': [{ name: 'here', context: { cluster: 'c', user: 'u', namespace: 'shop' } }],
    'clusters': [{ name: 'c', cluster: { server } }],
    'users': [{ name: 'u', user: { token: 't' } }],
  }))
  return path
}

const kubernetes = served('kubernetes', asKubernetes, longestBackOff, (url, timeout) =>
  ({ service: 'shop', kubeconfig: kubeconfigOf(url), timeout }))

/** Passes a question on to a real server. */
const relayed = (to: string): Answer => (request, response) => {
  const onward = forward(new URL(request.url!, to), { method: request.method!, headers: request.headers, agent: false }, (answer) => {
    response.writeHead(answer.statusCode!, answer.headers)
    // What breaks off there breaks off here too.
    pipeline(answer, response, () => {})
  })
  onward.on('error', () => response.destroy())
  response.on('close', () => onward.destroy())
  request.pipe(onward)
}

const keyed = (addresses: readonly string[]): ReadonlyMap<string, string> => new Map(addresses.map((address) => [`/shop/${address}`, address]))

/** A real etcd, behind a relay that can spoil and delay what it says. Killed, it is the member itself that is gone. */
const etcd: StationKind = {
  type: 'etcd', faults: all, missing: etcdMissing,
  start: async (addresses, { late, timeout: longest }) => {
    const member = await Etcd.start()
    const relay = await HttpRegistry.start([], relayed(member.url))
    const timeout = Math.min(5_000, longest)
    let wanted = keyed(addresses)
    let written: ReadonlyMap<string, string> = new Map()
    let running = true
    const write = async (keys: ReadonlyMap<string, string>): Promise<void> => {
      for (const [key, address] of keys) if (!written.has(key)) await member.put(key, address)
      for (const key of written.keys()) if (!keys.has(key)) await member.remove(key)
      written = keys
    }
    await write(wanted)
    let fault: Fault | undefined
    return {
      registry: { type: 'etcd', servers: [relay.url], prefix: '/shop/', timeout }, interval: longestBackOff, timeout,
      list: async (addresses) => {
        wanted = keyed(addresses)
        if (running && fault !== 'empty') await write(wanted)
      },
      begin: async (begun) => {
        fault = begun
        if (begun === 'empty') return write(new Map())
        if (begun !== 'killed') return spoil(relay, begun as Ordinary, late)
        running = false
        await member.kill()
      },
      end: async () => {
        if (!running) await member.run()
        else if (fault !== 'empty') await mend(relay)
        running = true
        fault = undefined
        await write(wanted)
      },
      close: async () => {
        await relay.close()
        await member.close()
      },
    }
  },
}

/** A server that speaks as Cloud Map does, behind a relay that can be killed, and spoil and delay what it says. */
const cloudMap: StationKind = {
  type: 'cloud-map', faults: [...all, 'throttled'], missing: false,
  start: async (addresses, { late, timeout: longest }) => {
    const server = await CloudMapServer.start()
    const service = server.addService('shop.local', 'shop')
    const relay = await HttpRegistry.start([], relayed(server.url))
    const timeout = Math.min(5_000, longest)
    let wanted = addresses
    let fault: Fault | undefined
    /** Whether it was: then it may be left alone for longer. */
    let throttled = false
    const write = (addresses: readonly string[]): void => {
      for (const { id } of server.instances(service)) if (!addresses.includes(id)) server.remove(service, id)
      for (const id of addresses) {
        const [host, port] = id.split(':') as [string, string]
        if (!server.instances(service).some((one) => one.id === id)) server.put(service, id, { AWS_INSTANCE_IPV4: host, AWS_INSTANCE_PORT: port })
      }
    }
    write(addresses)
    const throttle = (): never => { throw new Refusal('RequestLimitExceeded', 'Rate exceeded') }
    return {
      registry: { type: 'cloud-map', namespace: 'shop.local', service: 'shop', ...cloudMapWayTo(server), endpoint: relay.url, timeout },
      get interval() { return throttled ? longestBackOff : 5_000 },
      timeout,
      list: async (addresses) => {
        wanted = addresses
        if (fault !== 'empty') write(wanted)
      },
      begin: async (begun) => {
        fault = begun
        throttled = begun === 'throttled'
        if (begun === 'throttled') server.trouble = throttle
        else if (begun === 'empty') write([])
        else await spoil(relay, begun, late)
      },
      end: async () => {
        server.trouble = undefined
        if (fault !== 'throttled' && fault !== 'empty') await mend(relay)
        fault = undefined
        write(wanted)
      },
      close: async () => {
        await relay.close()
        await server.close()
      },
    }
  },
}

/** A real dnsmasq with SRV records, behind a relay. That a name has no records it says for certain, which is believed and no fault. */
const dns: StationKind = {
  type: 'dns', faults: ['killed', 'garbage', 'late', 'flapping'], missing: withoutDnsmasq,
  start: async (addresses, { late, timeout: longest }) => {
    const lines = (addresses: readonly string[]): readonly string[] =>
      addresses.map((address) => `srv-host=_http._tcp.shop.test,one.test,${address.split(':')[1]}`)
    const server = await Dnsmasq.start(lines(addresses), ['127.0.0.1 one.test'])
    const relay = await DatagramRelay.start(server.port)
    const timeout = Math.min(2_000, longest)
    let running = true
    return {
      // SRV records are asked for every 5 s.
      registry: { type: 'dns', record: 'srv', hostname: '_http._tcp.shop.test', servers: [relay.address], family: 4, timeout }, interval: 5_000,
      // Each server is asked twice.
      timeout: timeout * 3,
      list: async (addresses) => {
        server.write(lines(addresses), ['127.0.0.1 one.test'])
        if (!running) return
        await server.stop()
        await server.start()
      },
      begin: async (fault) => {
        if (fault === 'killed') {
          running = false
          await server.stop()
        } else if (fault === 'garbage') {
          relay.trouble = 'garbage'
        } else {
          relay.late = late
        }
      },
      end: async () => {
        relay.trouble = undefined
        relay.late = 0
        if (!running) await server.start()
        running = true
      },
      close: async () => {
        relay.close()
        await server.close()
      },
    }
  },
}

/** A file that is gone, holds garbage, or an empty list. */
const file: StationKind = {
  type: 'file', faults: ['killed', 'garbage', 'empty', 'flapping'], missing: false,
  start: async (addresses) => {
    const directory = mkdtempSync(join(tmpdir(), 'enmesh-soak-'))
    const path = join(directory, 'endpoints.json')
    let listed = addresses
    let fault: Fault | undefined
    const write = (text: string): void => {
      writeFileSync(`${path}.new`, text)
      renameSync(`${path}.new`, path)
    }
    write(JSON.stringify(listed))
    return {
      registry: { type: 'file', path }, interval: 10_000, timeout: 200,
      list: async (addresses) => {
        listed = addresses
        if (!fault) write(JSON.stringify(listed))
      },
      begin: async (begun) => {
        fault = begun
        if (begun === 'killed') rmSync(path)
        else write(begun === 'empty' ? '[]' : '[ "no address", {')
      },
      end: async () => {
        fault = undefined
        write(JSON.stringify(listed))
      },
      close: async () => rmSync(directory, { recursive: true }),
    }
  },
}

/** Every registry; Eureka is asked at an interval of milliseconds. */
export const stationKinds = (interval: number): readonly StationKind[] => [dns, etcd, consul, eureka(interval), kubernetes, cloudMap, file]
