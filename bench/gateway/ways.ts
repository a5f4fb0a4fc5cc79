import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Pace } from '../cases.ts'
import { runHaproxy } from '../haproxy.ts'

/** The ways to the service. */
export const wayNames = ['straight to it', 'HAProxy', 'node:http', 'enmesh'] as const

/** The name of a way. */
export type WayName = typeof wayNames[number]

/** A way that is open. */
export interface Way {
  readonly name: WayName
  readonly port: number
  /** What its paths begin with. */
  readonly prefix: string
  /** Of the proxy; nobody's where there is none. */
  readonly pid: number | undefined
}

/** All of them, and the service at their end. */
export interface Ways {
  readonly ways: readonly Way[]
  /** Has the service keep another pace. */
  pace(pace: Pace): Promise<void>
  close(): Promise<void>
}

const haproxyConfig = (service: number) => (port: number): string => `global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 75s
  timeout server 15s
  timeout http-request 10s
  option http-keep-alive
  http-reuse always
frontend in
  bind 127.0.0.1:${port}
  option forwardfor
  http-request deny deny_status 404 unless { path -m dir /shop }
  http-request set-header x-forwarded-proto http
  http-request set-header x-forwarded-host %[req.hdr(host)]
  unique-id-format %{+X}o\\ %ci:%cp_%Ts_%rt:%pid
  unique-id-header x-request-id
  http-request set-header host svc.local
  http-request replace-path /shop/(.*) /\\1
  default_backend svc
backend svc
  server one 127.0.0.1:${service}
`

const start = async (file: string, ...args: readonly string[]): Promise<{ readonly child: ChildProcess, readonly port: number }> => {
  const child = fork(new URL(file, import.meta.url), args)
  const [port] = await Promise.race([once(child, 'message'), once(child, 'exit').then(() => { throw new Error(`${file} ended`) })]) as [number]
  return { child, port }
}

/** Opens them; without HAProxy where it is not installed. */
export const openWays = async (withHaproxy: boolean): Promise<Ways> => {
  const service = await start('service.ts')
  const [enmesh, node] = await Promise.all([start('enmesh.ts', String(service.port)), start('node-proxy.ts', String(service.port))])
  const haproxy = withHaproxy ? await runHaproxy(haproxyConfig(service.port)) : undefined
  return {
    ways: [
      { name: 'straight to it', port: service.port, prefix: '', pid: undefined },
      ...haproxy ? [{ name: 'HAProxy', port: haproxy.port, prefix: '/shop', pid: haproxy.pid } as const] : [],
      { name: 'node:http', port: node.port, prefix: '/shop', pid: node.child.pid },
      { name: 'enmesh', port: enmesh.port, prefix: '/shop', pid: enmesh.child.pid },
    ],
    pace: async (pace) => {
      service.child.send(pace)
      await once(service.child, 'message')
    },
    close: async () => {
      for (const { child } of [enmesh, node, service]) child.disconnect()
      await haproxy?.stop()
    },
  }
}
