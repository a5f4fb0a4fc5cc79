import { freePort, proxyVersion, startProxy } from '../proxy-process.ts'

/** Its version; `undefined` where it is not installed. */
export const haproxyVersion = (): string | undefined => proxyVersion('haproxy')

/**
 * A proxy as somebody sets it up who has read the manual: three attempts, on another server if there is one, after whatever may be tried again;
 * a server that fails five times in a row is out, and health checks take it out and bring it back.
 */
export const haproxyConfig = (balance: string, port: number, ports: readonly number[], attemptTimeout: number): string => `global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect ${attemptTimeout}ms
  timeout server ${attemptTimeout}ms
  timeout client 30s
  timeout check ${attemptTimeout}ms
  retries 2
  option redispatch 1
  retry-on all-retryable-errors
  http-reuse always
frontend calls
  bind 127.0.0.1:${port}
  default_backend servers
backend servers
  balance ${balance}
  option httpchk GET /health
  default-server check inter 1s fall 2 rise 2 observe layer7 error-limit 5 on-error mark-down
${ports.map((each, index) => `  server s${index} 127.0.0.1:${each}`).join('\n')}
`

/** Starts one in front of the servers. Throws with what it says when it does not come up. */
export const startHaproxy = async (balance: string, ports: readonly number[], attemptTimeout: number): Promise<{
  readonly port: number
  stop(): Promise<void>
}> => {
  const port = await freePort()
  const { stop } = await startProxy('haproxy', haproxyConfig(balance, port, ports, attemptTimeout), port)
  return { port, stop }
}
