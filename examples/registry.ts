import type { MeshInput } from 'enmesh'

/** A cluster's registry, as a configuration has it. */
export type RegistryInput = NonNullable<MeshInput['clusters']>[string]['registry']

/** Endpoints that are written down. */
export const listed = (...endpoints: readonly string[]): RegistryInput => ({ type: 'static', endpoints })

/** What a variable of the environment says of where a service is: `host:port`s with commas between, or a registry as JSON. */
export const registryFrom = (text: string): RegistryInput =>
  text.startsWith('{') ? JSON.parse(text) as RegistryInput : listed(...text.split(','))
