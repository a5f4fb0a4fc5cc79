import { isIPv6 } from 'node:net'
import type { EndpointSpec } from '../core/endpoint.ts'
import { dialledHost } from './address.ts'

/** One address for a host and a port that a registry names; `undefined` where nothing could be dialled there. */
export const addressOf = (host: string | undefined, port: number | undefined): string | undefined => {
  const name = host === undefined ? undefined : dialledHost(isIPv6(host) ? `[${host}]` : host)
  return name !== undefined && Number.isInteger(port) && port! > 0 && port! <= 65_535 ? `${name}:${port!}` : undefined
}

/** An instance as a registry lists it; its address is `undefined` where nothing could be dialled there. */
export type Listed = Omit<EndpointSpec, 'address'> & { readonly address: string | undefined }

/**
 * The endpoints among the instances that a registry lists, each id once: the first counts. One bad instance, which anybody may have registered,
 * is left out and hides no other; but when nothing is left, an `Error` says so, since the set cannot be told.
 */
export const endpointsAmong = (listed: readonly Listed[], place: string): readonly EndpointSpec[] => {
  const byId = new Map<string, EndpointSpec>()
  for (const { address, ...rest } of listed) {
    if (address === undefined) continue
    const id = rest.id ?? address
    if (!byId.has(id)) byId.set(id, { ...rest, address })
  }
  if (byId.size === 0 && listed.length > 0) {
    throw new Error(`${place} lists ${listed.length} and none has a host and a port that can be dialled: check how the instances register`)
  }
  return [...byId.values()]
}

/** Metadata without what is absent or empty. */
export const metadataOf = (entries: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(entries).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ''))
