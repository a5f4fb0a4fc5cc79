/** A dialled address taken apart. */
export interface Peer {
  readonly host: string
  readonly port: number
}

/** Splits `host:port` or `[v6]:port`, as endpoints carry it; conventions want IPv6 without its brackets. */
export const parseAddress = (address: string): Peer => {
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon)
  return { host: host.startsWith('[') ? host.slice(1, -1) : host, port: Number(address.slice(colon + 1)) }
}
