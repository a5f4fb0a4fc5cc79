/** The HTTP that the endpoints of a cluster are spoken to in, as OpenTelemetry writes it. */
export type HttpVersion = '1.1' | '2'
