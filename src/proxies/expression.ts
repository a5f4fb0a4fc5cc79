import type { Definition } from './definition.ts'
import type { ProxyName, Unexpressed } from './proxy.ts'

export const unexpressedBy = (proxy: ProxyName, definition: Definition): readonly Unexpressed[] => { void proxy; void definition; return [] }
