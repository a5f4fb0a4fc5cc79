/** How a comparison's arrangement is made up: no mesh, a mesh in the process, a proxy beside it, or what people put together themselves. */
export type ArrangementKind = 'direct' | 'enmesh' | 'sidecar' | 'by-hand'

/** One way between a client and the services, as it was run. */
export interface ArrangementInfo {
  readonly id: string
  readonly title: string
  readonly kind: ArrangementKind
  /** What the application calls. */
  readonly client: 'fetch' | 'undici.request'
  /** How it is set up, in a sentence. */
  readonly how: string
  /** What of the definition it cannot express, a line each. */
  readonly unexpressed: readonly string[]
  /** Why it was not run; left out where it was. */
  readonly notRun?: string
}

/** Times in milliseconds. */
export interface Latency {
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

/** The application and the proxies beside it; 0 for proxies where there is none. */
export interface Both {
  readonly application: number
  readonly proxy: number
}

/** What one arrangement did in one round of a case. */
export interface Round {
  readonly round: number
  readonly requests: number
  readonly failed: number
  readonly seconds: number
  /** Requests per second. */
  readonly throughput: number
  readonly latency: Latency
  /** Latencies in milliseconds at the quantiles `Results.quantiles`. */
  readonly distribution: readonly number[]
  /** Seconds of CPU per 1 000 requests, user and system. */
  readonly cpu: Both
  /** MiB: proportional set size where the system tells it, resident set size otherwise. */
  readonly memory: Both
  /** Sockets open at the end. */
  readonly sockets: Both
}

/** One case without faults: a point of the one dimension that it varies from the base case. */
export interface CaseResult {
  readonly id: string
  readonly title: string
  /** What is measured: one client and one service, or gateway, order and pricing. */
  readonly subject: 'client' | 'shop'
  /** Requests in flight in a closed loop; left out in an open one. */
  readonly inFlight?: number
  /** Requests per second in an open loop; left out in a closed one. */
  readonly rate?: number
  readonly bodyBytes: number
  readonly mutualTls: boolean
  /** Whether processes were kept on one core, or why not, in a sentence; left out where the system decides, as usual. */
  readonly cores?: string
  /** Why it was not run with any arrangement; left out where it was. */
  readonly notRun?: string
  readonly measured: readonly { readonly arrangement: string, readonly rounds: readonly Round[] }[]
}

/** From start to the first answer, in milliseconds, and memory at rest, in MiB: of each round from the first on. */
export interface Start {
  readonly arrangement: string
  readonly milliseconds: readonly Both[]
  readonly idleMemory: readonly Both[]
}

/** What happened in a slice of a fault's time. */
export interface Slice {
  /** Milliseconds from the beginning of the run to that of the slice. */
  readonly at: number
  /** Answers of 200, those of the wrong version among them. */
  readonly ok: number
  readonly failed: number
  readonly wrongVersion: number
  readonly p99: number
}

/** What one arrangement made of a fault in one round. */
export interface FaultRun {
  readonly arrangement: string
  readonly round: number
  readonly requests: number
  readonly failed: number
  readonly wrongVersion: number
  /** Requests that reached the services, for one that the application made. */
  readonly attemptsPerRequest: number
  readonly p99: { readonly before: number, readonly during: number, readonly after: number }
  /** Milliseconds from the beginning of the fault until failures and p99 were back at those of before; null for not within the run. */
  readonly timeToRecover: number | null
  /** Who the caller thinks answered, for the answers and errors that were no success: how many by "service 503", "proxy 503", "ECONNRESET", "ENMESH_…". */
  readonly blamed: Readonly<Record<string, number>>
  /** How many of those were blamed on somebody else than was to blame. */
  readonly misattributed: number
  /** What it said against what was pushed to it; left out where it took everything. */
  readonly refusal?: string
  readonly slices: readonly Slice[]
}

/** One thing that breaks. */
export interface FaultResult {
  readonly id: string
  readonly title: string
  /** What is done to the services, in a sentence. */
  readonly what: string
  /** What happened when, in milliseconds from the beginning of a run. */
  readonly marks: readonly { readonly at: number, readonly what: string }[]
  readonly runs: readonly FaultRun[]
}

/** Where it was run; loads are the kernel's averages of a minute. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryMiB: number
  readonly kernel: string
  readonly loadBefore: number
  readonly loadAfter: number
}

/** What one comparison found: the JSON beside the report, and all that the report is drawn from. */
export interface Results {
  readonly format: 1
  /** ISO 8601. */
  readonly began: string
  readonly seconds: number
  readonly command: string
  readonly machine: Machine
  /** By name: node, undici, enmesh, haproxy, nginx, envoy, opossum… */
  readonly versions: Readonly<Record<string, string>>
  readonly rounds: number
  readonly seed: number
  /** The quantiles of every `distribution`, ascending, 0 to 1. */
  readonly quantiles: readonly number[]
  readonly arrangements: readonly ArrangementInfo[]
  readonly cases: readonly CaseResult[]
  readonly starts: readonly Start[]
  readonly faults: readonly FaultResult[]
}
