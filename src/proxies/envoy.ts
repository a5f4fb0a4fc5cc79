import { readDefinition } from './definition.ts'
import { unexpressedBy } from './expression.ts'
import type { ProxyConfig, WriteProxy } from './proxy.ts'

/** Writes a static bootstrap of Envoy (v3), as JSON. */
export const toEnvoy: WriteProxy = (config, options = {}): ProxyConfig => {
  const definition = readDefinition(config, options)
  return { text: `${JSON.stringify({ static_resources: {} }, null, 2)}\n`, unexpressed: unexpressedBy('envoy', definition) }
}
