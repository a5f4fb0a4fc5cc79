// Making a mesh
export { createMesh, type Mesh, type MeshOptions, type MeshStatus, type RouteStatus, type Trail } from './mesh/mesh.ts'
export type { BuiltInBalancer, BuiltInMatcher, BuiltInRegistry, CallPolicyInput, Families, MeshConfig, MeshInput, RouteConfig } from './mesh/config.ts'
export type { ConnectOptions } from './mesh/connect.ts'
export type { ClusterExplanation, Explanation } from './mesh/explain.ts'
export type { Changes } from './mesh/snapshot.ts'
export type { FetchInit } from './transport/fetch/fetch.ts'
export { toResponse } from './transport/fetch/response.ts'
export type { HealthFinding, HealthProbe } from './transport/probes/probe.ts'
export type { ClusterStatus, EndpointStatus } from './cluster/status.ts'
export type { OpenConnections } from './transport/connections.ts'
export type { MeshEvents, OutlierRule } from './core/events.ts'

// Configuration from files
export { loadConfig, type LoadOptions } from './config-file/load.ts'
export { watchConfig, type WatchOptions } from './config-file/watch.ts'
export { configSchema, type JsonSchema } from './config-file/schema.ts'
export type { Environment } from './config-file/substitute.ts'

// Work that belongs to no inbound request
export { withoutPassport } from './core/passport.ts'

// What goes wrong
export { MeshConfigError, MeshError, type AttemptRecord, type ConfigFault, type MeshErrorCode, type MeshErrorDetails } from './core/errors.ts'

// Kinds of your own
export { combinator, family, kind, type AnyKind, type Family, type FamilyInput, type FamilyOutput, type Kind, type Member } from './core/family.ts'
export { registries } from './registries/index.ts'
export { noSuchService, ThrottledError, type Registry, type Wake, type Watch } from './registries/registry.ts'
export { balancers } from './balancers/index.ts'
export { learning, learningFrom, type Ask, type Balancer, type Learn, type Picker, type Question } from './balancers/balancer.ts'
export { matchers } from './matchers/index.ts'
export { matcherKind, type AnyMatcherKind, type MatchInput, type MatchOutput, type Matcher, type MatcherKind, type Matchers } from './matchers/matcher.ts'

// Layers of your own
export type { OwnLayers } from './mesh/stack.ts'
export type { Layer, Send } from './core/send.ts'
export { Attempt, Call, type Abortable, type AttemptListener, type Budget, type CallPolicy, type ClusterHandle, type RetryOverride, type RetryStop } from './core/call.ts'
export { Latency } from './core/latency.ts'
export { Endpoint, type EndpointConnections, type EndpointSpec, type EndpointState, type Load } from './core/endpoint.ts'
export type { BodySink, Ending, Reply, ReplyHeaders } from './core/reply.ts'
export { RequestHead, type HeaderList, type RequestBody, type RequestFields } from './core/request.ts'

// Time and chance
export type { Runtime } from './runtime/runtime.ts'
export type { Cancel, Clock } from './runtime/clock.ts'
export type { Random } from './runtime/random.ts'
export { Channels, type Listener } from './runtime/channels.ts'
