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

const authority = /^(\[[0-9a-f:.]{2,45}\]|[\w.~%-]{1,255})(?::(\d{1,5}))?$/i

/** Reads a `Host` field, which anybody may have written; `undefined` for what is none. Without a port it is the scheme's own. */
export const readHost = (text: string | undefined, scheme: string): Peer | undefined => {
  const match = authority.exec(text ?? '')
  return match ? parseAddress(`${match[1]!.toLowerCase()}:${match[2] ?? (scheme === 'https' ? '443' : '80')}`) : undefined
}
