/** A message of Envoy's API, as JSON: fields that are `undefined` are left out. */
export interface Message {
  readonly [field: string]: Value | undefined
}

/** What a field of a message holds. */
export type Value = string | number | boolean | Message | readonly Value[]

/** A message that is told apart by the name of its type. */
export const typed = (type: string, fields: Message = {}): Message => ({ '@type': `type.googleapis.com/${type}`, ...fields })

/** A length of time, as JSON of protocol buffers has it; 0 is no bound where Envoy documents it so. */
export const time = (ms: number): string => `${Number((ms / 1_000).toFixed(6))}s`

/** Where something listens or is dialled. */
export const socketAddress = (host: string, port: number): Message =>
  ({ socket_address: { address: host.startsWith('[') ? host.slice(1, -1) : host, port_value: port } })

/** What Envoy counts as no limit. */
export const unlimited = 4_294_967_295

/** A count, as far as Envoy counts. */
export const count = (number: number): number => Math.min(unlimited, number)
