import { z } from 'zod'
import type { Balancer } from '../balancers/balancer.ts'
import type { AnyKind, Family } from '../core/family.ts'
import { budgetConfig } from '../policies/budget.ts'
import { circuitBreakerConfig } from '../policies/circuit-breaker.ts'
import { clusterTimeoutConfig } from '../policies/cluster-timeout.ts'
import { concurrencyLimitConfig } from '../policies/concurrency-limit.ts'
import { grpcConfig } from '../policies/grpc-status.ts'
import { discoveryConfig } from '../registries/follow.ts'
import type { Registry } from '../registries/registry.ts'
import { connectionConfig, oneProtocol } from '../transport/connections.ts'
import { panicThresholdConfig } from './availability.ts'
import { healthCheckConfig } from './health-checks.ts'
import { outlierConfig } from './outlier.ts'
import { slowStartConfig } from './slow-start.ts'

/** The shape of one cluster, for the registries and balancers at hand. */
export const clusterConfig = <R extends AnyKind<Registry>, B extends AnyKind<Balancer>>(
  registries: Family<Registry, R>,
  balancers: Family<Balancer, B>,
) => z.strictObject({
  registry: registries.schema.describe('Where the endpoints come from.'),
  discovery: discoveryConfig.prefault({}).describe("When the registry's answer is not believed at once."),
  balancer: balancers.schema.prefault({ type: 'prequal' } as never).describe('How an endpoint is chosen for each attempt.'),
  ...connectionConfig.shape,
  grpc: grpcConfig,
  ...concurrencyLimitConfig.shape,
  breaker: z.union([z.literal(false), circuitBreakerConfig], { error: 'must be false, or options such as { calls: 20 }' }).prefault({})
    .describe('When to stop calling the cluster altogether; false switches it off.'),
  outlier: z.union([z.literal(false), outlierConfig], { error: 'must be false, or options such as { failures: 5 }' }).prefault({})
    .describe('When to take a single endpoint out; false switches it off.'),
  healthCheck: z.union([z.literal(false), healthCheckConfig], { error: "must be false, or options such as { protocol: 'http', path: '/health' }" })
    .default(false).describe('Whether, and how, each endpoint is asked again and again if it is well; off by default.'),
  panic: panicThresholdConfig,
  slowStart: slowStartConfig.default(0),
  budget: budgetConfig.prefault({})
    .describe('How much retries and hedges together may add to the load of the cluster.'),
  ...clusterTimeoutConfig.shape,
}).superRefine(oneProtocol)

/** Parsed configuration of one cluster. */
export type ClusterConfig = z.output<ReturnType<typeof clusterConfig<AnyKind<Registry>, AnyKind<Balancer>>>>
