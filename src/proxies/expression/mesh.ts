import { inMesh, none, otherwise, same, type PolicyRow } from './row.ts'

const refuses = otherwise('answers 404 to calls of hosts that are no services, whatever the policy says', 'callers dial other hosts themselves, past the proxy, and what they dial so it does not see')
const ownMetrics = none('has metrics of its own', 'it tells an OpenTelemetry of the process nothing')
const passes = none('lets the trace context of callers through, and adds no span of its own', 'a tracer would have to be configured with where to send spans')
const noLog = none('writes no log', "its formats are not the mesh's")

/** Policies of the mesh as a whole. */
export const meshRows: readonly PolicyRow[] = [
  { policy: 'services', places: () => [], haproxy: same, nginx: same, envoy: same },
  { policy: 'egress', places: inMesh('egress', () => true), haproxy: refuses, nginx: refuses, envoy: refuses },
  {
    policy: 'replayLimit',
    places: inMesh('replayLimit', () => true),
    haproxy: otherwise('sends a request again if it fits into one buffer (16 KiB)', 'it keeps no more of it'),
    nginx: otherwise('keeps every body, in a file if it is long, before it sends the first byte', 'only so it can send it again'),
    envoy: same,
  },
  { policy: 'drain', places: inMesh('drain', () => true), haproxy: same, nginx: same, envoy: otherwise('lets connections of callers drain so long', 'the time for all of them stands on its command line (--drain-time-s)') },
  { policy: 'telemetry.tracing', places: inMesh('telemetry.tracing', ({ config }) => config.telemetry.tracing), haproxy: passes, nginx: passes, envoy: passes },
  { policy: 'telemetry.metrics', places: inMesh('telemetry.metrics', ({ config }) => config.telemetry.metrics), haproxy: ownMetrics, nginx: ownMetrics, envoy: ownMetrics },
  { policy: 'telemetry.requestId', places: () => [], haproxy: same, nginx: same, envoy: same },
  { policy: 'telemetry.accessLog', places: inMesh('telemetry.accessLog', ({ config }) => config.telemetry.accessLog), haproxy: noLog, nginx: noLog, envoy: noLog },
  {
    policy: 'telemetry.deadline',
    places: inMesh('telemetry.deadline', ({ config }) => config.telemetry.deadline),
    haproxy: none('sends no time that is left', 'it does not know it'),
    nginx: none('sends no time that is left', 'it does not know it'),
    envoy: same,
  },
]
