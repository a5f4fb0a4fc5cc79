/** What the upstream answers to `/price/42`. */
export const smallJson = JSON.stringify({ id: 42, currency: 'EUR', price: 1999, available: true, tags: ['new', 'sale'] })

/**
 * When the upstream looks at its sockets:
 * - `paced`: once a millisecond, asleep between, as if it were that far away. All modes then find as many answers at once. With an upstream in the next process
 *   what a client pays depends on how the two take turns: the bare pool keeps it so busy that it costs 10 µs, and 14 at the pace of the others.
 * - `awake`: all the time, never asleep: for what one request waits.
 * - `eager`: whenever something comes, as servers do: for throughput.
 */
export type Pace = 'paced' | 'awake' | 'eager'

/** A load that every mode is put under. */
export interface Case {
  /** Requests under way at once. */
  readonly inFlight: number
  readonly path: string
  /** Length of the answer's body. */
  readonly bytes: number
  /** How the body is read: whole, or chunk by chunk as it comes. */
  readonly read: 'text' | 'stream'
  readonly pace: Pace
  /** Part of the requests asked for that is sent, so that each case takes about as long as the first. */
  readonly share: number
}

const base: Case = { inFlight: 32, path: '/price/42', bytes: smallJson.length, read: 'text', pace: 'paced', share: 1 }
const body = (bytes: number): Pick<Case, 'path' | 'bytes'> => ({ path: `/price/of/${bytes}`, bytes })

/** The first is the base; each of the others changes one thing about it. */
export const cases = {
  base,
  '1 in flight': { ...base, inFlight: 1, pace: 'awake', share: 0.5 },
  '16 in flight': { ...base, inFlight: 16 },
  '64 in flight': { ...base, inFlight: 64 },
  'eager upstream': { ...base, pace: 'eager' },
  'no body': { ...base, ...body(0) },
  '1 KiB': { ...base, ...body(1_024) },
  '64 KiB': { ...base, ...body(65_536), share: 0.25 },
  '10 MiB streamed': { ...base, ...body(10_485_760), read: 'stream', share: 0.005 },
} as const satisfies Readonly<Record<string, Case>>

/** The name of a case. */
export type CaseName = keyof typeof cases

/** In the order in which they are measured. */
export const caseNames = Object.keys(cases) as readonly CaseName[]

/** How many requests of a case are sent when so many are asked for: never fewer than are under way at once. */
export const requestsOf = (name: CaseName, asked: number): number =>
  Math.max(cases[name].inFlight, Math.round(asked * cases[name].share))
