import { observeReplies } from '../balancers/balancer.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { ClusterParts } from '../cluster/parts.ts'
import type { Attempt, Call } from '../core/call.ts'
import { stack, type Layer, type Send } from '../core/send.ts'
import { attemptTimeout } from '../policies/attempt-timeout.ts'
import { circuitBreaker, observeBreaker } from '../policies/circuit-breaker.ts'
import { clusterTimeout } from '../policies/cluster-timeout.ts'
import { concurrencyLimit } from '../policies/concurrency-limit.ts'
import { deadline } from '../policies/deadline.ts'
import { grpcStatus } from '../policies/grpc-status.ts'
import { ownAttemptLayers, ownCallLayers } from '../policies/own-layers.ts'
import { retry } from '../policies/retry.ts'
import { trackLoad } from '../policies/track-load.ts'
import { observeHealth } from '../cluster/health-checks.ts'
import { observeOutliers } from '../cluster/outlier.ts'
import { observeReach } from '../cluster/reach.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { matchedPrefix, rewrite } from '../route/rewrite.ts'
import { split, type Target } from '../route/split.ts'
import { accessLog } from '../tracing/access-log/access-log.ts'
import type { LogFiles } from '../tracing/access-log/file.ts'
import type { TelemetryConfig } from '../tracing/config.ts'
import type { MeshMetrics } from '../tracing/metrics.ts'
import { propagate } from '../tracing/propagate.ts'
import { requestId } from '../tracing/request-id.ts'
import { attemptSpan, callSpan } from '../tracing/spans.ts'
import type { HttpVersion } from '../tracing/version.ts'
import type { RouteConfig } from './config.ts'

/** Layers of the user's own, in the two places where they can stand. */
export interface OwnLayers {
  /** Around each call, outside retries and inside the deadline. */
  readonly call?: readonly Layer<Call>[]
  /** Around each attempt, next to the wire. */
  readonly attempt?: readonly Layer<Attempt>[]
}

/*
 * One request, from top to bottom: each line is a layer, in the order in which a request travels,
 * with the reason for its place. What is not configured is not in the list, and costs nothing.
 */

/** Around a call: what the caller asked for. */
export const callStack = (
  route: RouteConfig, targets: readonly Target[], telemetry: TelemetryConfig, logs: LogFiles, own: OwnLayers, runtime: Runtime,
): Send<Call> => stack<Call>([
  telemetry.requestId ? requestId(runtime.ids) : undefined,   // outermost: whatever fails below has a name already
  writtenDown(telemetry, logs),                  // outside all that may refuse or end a call: whatever becomes of it is written down
  telemetry.tracing ? callSpan : undefined,      // outside the deadline: times everything that the caller waits for
  deadline(route.timeout),                       // bounds waiting, all attempts and the body together
  ownCallLayers(own.call),                       // once per call, and never beyond the deadline
  route.rewrite && rewrite(route.rewrite, matchedPrefix(route.match)),   // before anything is sent: every attempt sends the same
  split(targets, route.sticky, runtime),         // drawn once per call; again only if nothing was sent, never for a sticky call
  retry(route.retry, runtime),                   // stays in the drawn cluster, on another endpoint
], (call) => call.cluster!.send(call))

/** Around a call that no route of its service matches; `refuse` says so. */
export const unroutedStack = (telemetry: TelemetryConfig, logs: LogFiles, refuse: Send<Call>, runtime: Runtime): Send<Call> => stack<Call>([
  telemetry.requestId ? requestId(runtime.ids) : undefined,   // as around other calls
  writtenDown(telemetry, logs),                  // a request that goes nowhere is the one to look for
], refuse)

const writtenDown = ({ accessLog: config }: TelemetryConfig, logs: LogFiles): Layer<Call> | undefined =>
  config && accessLog(config, logs.at(config.path))

/** Around each try at a cluster, before an endpoint is chosen. */
export const clusterStack = (cluster: Cluster, { config, breaker }: ClusterParts, send: Send<Attempt>): Send<Call> => stack<Call>([
  clusterTimeout(config),                        // outside the breaker: a call that is out of time asks nobody
  breaker && circuitBreaker(breaker),            // before the pick: a refusal takes no turn and marks no endpoint as tried
  concurrencyLimit(config, cluster.load),        // inside the breaker: a full bulkhead is no failure of the cluster
], cluster.pickAndSend(send))

/** Around an attempt: what we do at one endpoint. */
export const attemptStack = (
  { name, reach }: Cluster, { config, balancer, breaker, detection, checks }: ClusterParts, telemetry: TelemetryConfig, metrics: MeshMetrics, own: OwnLayers,
  transport: Send<Attempt>,
): Send<Attempt> => stack<Attempt>([
  telemetry.tracing ? attemptSpan(versionOf(config)) : undefined,   // outermost: sees the endpoint, and all that is done about the attempt
  telemetry.metrics ? metrics.measure(name, versionOf(config), telemetry.metrics) : undefined,   // where the span is: both measure the same time
  trackLoad,                                     // outside the timeout: an attempt that timed out was load too
  breaker && observeBreaker(breaker),            // outside the timeout: sees it as a failure of the cluster
  observeReach(reach),                           // outside the timeout, where the end of an attempt has its final reason
  detection && observeOutliers(detection),       // outside the timeout: sees it as a failure of this endpoint
  checks && observeHealth(checks),               // outside the timeout too: of an answer that comes too late, nothing is believed
  balancer.learn && observeReplies(balancer.learn),   // outside the timeout: a balancer that learns hears of it as of no answer
  attemptTimeout,                                // of the call's route: bounds what is below
  ownAttemptLayers(own.attempt),                 // once for each try; what they write in headers is sent
  config.grpc ? grpcStatus : undefined,          // inside all that judge an answer by it
  propagate(telemetry),                          // innermost: each attempt carries its own span id and the time that is left now
], transport)

const versionOf = ({ http2 }: ClusterParts['config']): HttpVersion => http2 ? '2' : '1.1'
