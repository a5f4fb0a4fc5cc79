import type { Instance, Registration } from '../../src/registrars/registrar.ts'
import type { EndpointSpec } from '../../src/core/endpoint.ts'
import type { AnyKind } from '../../src/core/family.ts'
import type { Registrar } from '../../src/registrars/registrar.ts'
import { systemRuntime } from '../../src/runtime/runtime.ts'

/** An instance of `pricing`. */
export const instanceOf = (id: string, more: Partial<Instance> = {}): Instance =>
  ({ service: 'pricing', id, address: '10.0.0.1:8080', host: '10.0.0.1', port: 8080, metadata: { zone: 'a' }, ...more })

/** A registration by a kind with options as a user writes them, on real time. */
export const registrationOf = (kind: AnyKind<Registrar>, config: object, instance: Instance): Registration =>
  kind.make(kind.config.parse(config), systemRuntime())(instance)

/** A signal that nobody aborts. */
export const never = new AbortController().signal

/** The part of an endpoint that its registrar decides. */
export const written = ({ id, address, weight, tls, metadata }: EndpointSpec): object => ({
  id, address, ...(weight !== undefined && { weight }), ...(tls !== undefined && { tls }), metadata,
})
