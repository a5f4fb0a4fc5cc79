/** One point of the one dimension that it varies from the base case. */
export interface Case {
  readonly id: string
  readonly title: string
  readonly inFlight?: number
  /** Requests per second. */
  readonly rate?: number
  readonly bodyBytes: number
  readonly mutualTls: boolean
}

const base = { inFlight: 16, bodyBytes: 1_024, mutualTls: false } as const
const open = { bodyBytes: base.bodyBytes, mutualTls: false } as const

/** The base case first, mutual TLS last: it loads into a client what changes the others. */
export const cases: readonly Case[] = [
  { id: 'base', title: '1 KiB, 16 in flight, plain', ...base },
  { id: 'in-flight-1', title: '1 in flight', ...base, inFlight: 1 },
  { id: 'in-flight-64', title: '64 in flight', ...base, inFlight: 64 },
  { id: 'rate-500', title: '500 requests per second', ...open, rate: 500 },
  { id: 'rate-1500', title: '1 500 requests per second', ...open, rate: 1_500 },
  { id: 'body-0', title: 'no body', ...base, bodyBytes: 0 },
  { id: 'body-64k', title: 'bodies of 64 KiB', ...base, bodyBytes: 65_536 },
  { id: 'mtls', title: 'mutual TLS to the service', ...base, mutualTls: true },
]

/** The path at the comparison's own services that gives a case's bodies. */
export const pathOf = ({ bodyBytes }: Case): string => `/of/${bodyBytes}`
