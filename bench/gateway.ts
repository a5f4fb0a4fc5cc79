/**
 * A gateway of enmesh against a local HAProxy that does the same: match by prefix, rewrite prefix and Host, add `x-forwarded-*` and a request id.
 * `node bench/gateway.ts [--requests 20000] [--rounds 5]`. Rounds are interleaved, each on fresh connections; the ways without a proxy show what the load itself costs.
 */
import { fork, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import { cases } from './cases.ts'

const { values } = parseArgs({ options: { requests: { type: 'string', default: '20000' }, rounds: { type: 'string', default: '5' } } })
const requests = Number(values.requests)
const rounds = Number(values.rounds)
const connections = 32

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

const haproxy = async (directory: string, service: number): Promise<{ readonly child: ChildProcess, readonly port: number }> => {
  const port = await freePort()
  const file = join(directory, 'haproxy.cfg')
  writeFileSync(file, `
global
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
`)
  const child = spawn('haproxy', ['-db', '-f', file], { stdio: ['ignore', 'inherit', 'inherit'] })
  await sleep(500)
  return { child, port }
}

/** CPU that a process has used, in milliseconds. */
const cpuOf = (pid: number | undefined): number => {
  if (pid === undefined) return 0
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

interface Round { readonly perSecond: number, readonly p50: number, readonly p99: number, readonly cpu: number }

/** Sends requests one after the other over each connection, and waits for the whole answer of each. */
const load = async (port: number, path: string, count: number, pid?: number): Promise<Round> => {
  const took: number[] = []
  const request = `GET ${path} HTTP/1.1\r\nHost: shop.test\r\nAccept: application/json\r\nUser-Agent: bench\r\n\r\n`
  const sockets: Socket[] = []
  const begun = performance.now()
  const cpu = cpuOf(pid)
  let sent = 0
  await Promise.all(Array.from({ length: connections }, async () => {
    const socket = connect(port, '127.0.0.1').setNoDelay(true).setEncoding('latin1')
    sockets.push(socket)
    while (sent < count) {
      sent++
      const at = performance.now()
      socket.write(request)
      let answer = ''
      for (;;) {
        answer += (await once(socket, 'data') as [string])[0]
        const end = answer.indexOf('\r\n\r\n')
        if (end >= 0 && answer.length >= end + 4 + Number(/content-length: (\d+)/i.exec(answer)?.[1])) break
      }
      if (!answer.startsWith('HTTP/1.1 200')) throw new Error(answer.slice(0, 300))
      took.push(performance.now() - at)
    }
  }))
  const seconds = (performance.now() - begun) / 1000
  const used = cpuOf(pid) - cpu
  for (const socket of sockets) socket.destroy()
  took.sort((a, b) => a - b)
  const at = (share: number): number => took[Math.floor(took.length * share)]!
  return { perSecond: count / seconds, p50: at(0.5), p99: at(0.99), cpu: used * 1000 / count }
}

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!

const directory = mkdtempSync(join(tmpdir(), 'enmesh-bench-'))
const upstream = fork(new URL('upstream.ts', import.meta.url), ['eager'])
const [[service = 0] = []] = await once(upstream, 'message') as [number[]]
const gateway = fork(new URL('gateway-process.ts', import.meta.url), [String(service)])
const [gatewayPort] = await once(gateway, 'message') as [number]
const proxy = await haproxy(directory, service)
const base = cases.base.path
const ways = [
  { name: 'straight to the service', port: service, path: base, pid: undefined },
  { name: 'HAProxy', port: proxy.port, path: `/shop${base}`, pid: proxy.child.pid },
  { name: 'enmesh gateway', port: gatewayPort, path: `/shop${base}`, pid: gateway.pid },
]
try {
  for (const { port, path } of ways) await load(port, path, requests)
  const measured = new Map(ways.map(({ name }) => [name, [] as Round[]]))
  for (let round = 0; round < rounds; round++) {
    for (const { name, port, path, pid } of round % 2 === 0 ? ways : ways.toReversed()) measured.get(name)!.push(await load(port, path, requests, pid))
  }
  console.log(`${requests} requests a round over ${connections} connections, ${rounds} rounds; medians`)
  console.log('| way | requests/s | p50 ms | p99 ms | CPU µs/request |\n|---|---|---|---|---|')
  for (const [name, found] of measured) {
    const of = (key: keyof Round): number => median(found.map((each) => each[key]))
    console.log(`| ${name} | ${of('perSecond').toFixed(0)} | ${of('p50').toFixed(2)} | ${of('p99').toFixed(2)} | ${of('cpu') > 0 ? of('cpu').toFixed(0) : '–'} |`)
  }
} finally {
  gateway.disconnect()
  upstream.disconnect()
  proxy.child.kill()
  rmSync(directory, { recursive: true })
}
