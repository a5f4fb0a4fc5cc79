import { isDeepStrictEqual } from 'node:util'
import type { Balancer } from '../balancers/balancer.ts'
import type { Attempt } from '../core/call.ts'
import type { Send } from '../core/send.ts'
import { retryBudget, type RetryBudget } from '../policies/budget.ts'
import { Breaker } from '../policies/circuit-breaker.ts'
import type { Registry } from '../registries/registry.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { connectionOptions } from '../transport/connections.ts'
import type { HealthProbe, ProbedCluster } from '../transport/probes/probe.ts'
import { Asking } from './asking.ts'
import type { Cluster } from './cluster.ts'
import type { ClusterConfig } from './config.ts'
import { Credentials } from './credentials.ts'
import { HealthChecks, type HealthCheckConfig } from './health-checks.ts'
import { OutlierDetection } from './outlier.ts'
import { slowStart } from './slow-start.ts'

/** Makes the plug-ins of a cluster from their configuration. */
export interface ClusterFamilies {
  readonly registry: (config: ClusterConfig['registry']) => Registry
  readonly balancer: (config: ClusterConfig['balancer']) => Balancer
  /** Absent where there is no network to ask over. */
  readonly probe?: ((check: HealthCheckConfig, cluster: ProbedCluster) => HealthProbe) | undefined
  /** The way to endpoints, below all layers. */
  readonly transport: (config: ClusterConfig, credentials: Credentials) => Send<Attempt>
}

/** What one configuration of a cluster consists of. What a new one does not change is carried over, with all it has learnt. */
export interface ClusterParts {
  /** What is in effect, without keys and passphrases. */
  readonly config: ClusterConfig
  /** Authorities, certificate and key to dial with, where the configuration names any. */
  readonly credentials: Credentials
  readonly registry: Registry
  readonly balancer: Balancer
  /** How the balancer asks endpoints, where it does. */
  readonly asking: Asking | undefined
  readonly budget: RetryBudget
  readonly breaker: Breaker | undefined
  readonly detection: OutlierDetection | undefined
  /** What health checks and balancers that ask name as `Host` where they don't say it themselves; absent where no service sends here. */
  readonly host: string | undefined
  readonly checks: HealthChecks | undefined
}

/** What parts are made of: those in use, whose learning is carried over where nothing changes, and what makes new ones. */
interface Making {
  readonly old: ClusterParts | undefined
  readonly families: ClusterFamilies
  readonly runtime: Runtime
}

/** Makes the parts of a cluster for a configuration, and reads the files that it names. May throw; nothing has changed then. */
export const prepareParts = (cluster: Cluster, config: ClusterConfig, host: string | undefined, { old, families, runtime }: Making): ClusterParts => {
  const same = (part: keyof ClusterConfig): boolean => old !== undefined && isDeepStrictEqual(old.config[part], config[part])
  const read = new Credentials(cluster.name, config.tls, runtime)
  const { shown } = read.current
  const credentials = old && isDeepStrictEqual(old.config.tls, shown) ? old.credentials : read
  // Each probe dials with what was read last.
  const probed: ProbedCluster = {
    get tls() { return credentials.current.shown },
    get context() { return credentials.current.context },
    host,
  }
  const newChecks = (check: ClusterConfig['healthCheck']): HealthChecks | undefined => check === false || !families.probe ? undefined
    : new HealthChecks(cluster, check, families.probe(check, probed), runtime)
  const balancer = same('balancer') && same('slowStart') ? old!.balancer : newBalancer(cluster, config, families, runtime)
  const asksTheSame = old?.balancer === balancer && old.host === host && old.credentials === credentials
    && connectionOptions.every((option) => option === 'tls' || same(option))   // of TLS, credentials tell
  return {
    config: { ...config, tls: shown },
    credentials,
    registry: same('registry') ? old!.registry : families.registry(config.registry),
    balancer,
    asking: asksTheSame ? old.asking : balancer.asking && new Asking(families.transport(config, credentials), host, runtime.clock),
    budget: same('budget') ? old!.budget : retryBudget(config.budget, runtime.clock),
    breaker: same('breaker') ? old!.breaker : config.breaker === false ? undefined : new Breaker(cluster.name, config.breaker, runtime),
    detection: same('outlier') ? old!.detection : config.outlier === false ? undefined : new OutlierDetection(cluster, config.outlier, runtime),
    host,
    checks: same('healthCheck') && old!.host === host && old!.credentials === credentials ? old!.checks : newChecks(config.healthCheck),
  }
}

const newBalancer = (cluster: Cluster, config: ClusterConfig, families: ClusterFamilies, runtime: Runtime): Balancer => {
  const plain = families.balancer(config.balancer)
  const balancer = config.slowStart > 0 ? slowStart(config.slowStart, runtime)(plain) : plain
  // On trial: a picker that cannot be made fails here, where nothing has changed yet, and not half-way through an update.
  balancer(cluster.endpoints)
  return balancer
}
