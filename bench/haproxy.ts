import { freePort, proxyVersion, startProxy, type ProxyProcess } from './proxy-process.ts'

/** Its version; `undefined` where it is not installed. */
export const haproxyVersion = (): string | undefined => proxyVersion('haproxy')

/** One that runs. */
export interface Haproxy extends ProxyProcess {
  readonly port: number
}

/** Starts one that listens on a free port, as a configuration for that port says. Throws with what it says when it does not come up. */
export const runHaproxy = async (configOf: (port: number) => string): Promise<Haproxy> => {
  const port = await freePort()
  return { port, ...await startProxy('haproxy', configOf(port), port) }
}
