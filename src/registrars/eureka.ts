import { isIP } from 'node:net'
import { z } from 'zod'
import { duration } from '../config/duration.ts'
import { kind } from '../core/family.ts'
import { questionOf } from '../registries/eureka.ts'
import { serverUrl, Servers, serverUser, tell, type Question } from '../registries/http.ts'
import type { Instance, Registrar } from './registrar.ts'
import { serverTls } from '../registries/server-tls.ts'

const eurekaConfig = z.strictObject({
  servers: z.array(serverUrl).min(1).describe("URLs of Eureka with their path, told in turn until one takes it: 'http://eureka.internal:8761/eureka'."),
  vip: z.string().min(1).optional().describe('The VIP address of the instance; the name of the service by default.'),
  secure: z.boolean().default(false).describe('Whether the port is the secure one, dialled with TLS.'),
  ...serverUser,
  serverTls: serverTls.optional().describe('How to speak TLS to the servers, where their URLs are https.'),
  heartbeat: duration.default(30_000).refine((ms) => ms >= 1_000, 'must be at least 1s')
    .describe('Time between two signs of life; Eureka forgets the instance after three of them.'),
  timeout: duration.default(5_000).describe('How long a server may take to answer before the next one is told.'),
}).refine(({ user, password }) => (user === undefined) === (password === undefined), { path: ['user'], error: 'belongs together with `password`: write both or none' })

type EurekaConfig = z.output<typeof eurekaConfig>

const port = (number: number, enabled: boolean): object => ({ '$': number, '@enabled': String(enabled) })

const written = ({ service, id, host, port: number, metadata }: Instance, { vip = service, secure, heartbeat }: EurekaConfig, status: string, now: number): object => ({
  instance: {
    instanceId: id,
    app: service.toUpperCase(),
    hostName: host,
    ...(isIP(host) && { ipAddr: host }),
    status,
    overriddenstatus: 'UNKNOWN',
    port: port(number, !secure),
    securePort: port(number, secure),
    ...(secure ? { secureVipAddress: vip } : { vipAddress: vip }),
    dataCenterInfo: { '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo', 'name': 'MyOwn' },
    leaseInfo: { renewalIntervalInSecs: Math.ceil(heartbeat / 1_000), durationInSecs: Math.ceil(heartbeat * 3 / 1_000) },
    metadata,
    // Of two registrations the one with the higher number counts.
    lastDirtyTimestamp: String(now),
  },
})

/** An instance of an application in Eureka, kept by heartbeats. */
export const eureka = kind('eureka', eurekaConfig, (config, { clock }): Registrar => {
  const servers = new Servers(config.servers)
  const say = (path: string, more: Partial<Question>, signal: AbortSignal): Promise<number> =>
    servers.ask(signal, async (server) => tell({ ...await questionOf(config, server, path, signal, clock), ...more }))
  return (instance) => {
    const app = `/apps/${encodeURIComponent(instance.service.toUpperCase())}`
    const own = `${app}/${encodeURIComponent(instance.id)}`
    let said: boolean | undefined
    const register = async (healthy: boolean, signal: AbortSignal): Promise<void> => {
      said = undefined
      // DOWN and not OUT_OF_SERVICE: of the two, Eureka lets only the first take the place of UP, and lets UP take its place again.
      await say(app, { body: written(instance, config, healthy ? 'UP' : 'DOWN', clock.wall()) }, signal)
      said = healthy
    }
    return {
      every: config.heartbeat,
      // Eureka answers from a cache of 30 s, and those who ask do so every 30 s.
      propagation: 65_000,
      register,
      renew: async (healthy, signal) => {
        if (said !== healthy) await register(healthy, signal)
        else if (await say(own, { method: 'PUT', also: [404] }, signal) === 404) return false
        return true
      },
      deregister: async (signal) => { await say(own, { method: 'DELETE', also: [404] }, signal) },
    }
  }
})
