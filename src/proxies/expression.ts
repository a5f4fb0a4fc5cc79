import type { Definition } from './definition.ts'
import { clusterRows } from './expression/cluster.ts'
import { meshRows } from './expression/mesh.ts'
import { routeRows } from './expression/route.ts'
import type { PolicyRow } from './expression/row.ts'
import type { ProxyName, Unexpressed } from './proxy.ts'

/** Every policy of mesh definitions, and what becomes of it in each proxy: what `unexpressed` and the table of the guide are made of. */
export const policyRows: readonly PolicyRow[] = [...meshRows, ...routeRows, ...clusterRows]

/** What of a definition a proxy has not, or has otherwise. */
export const unexpressedBy = (proxy: ProxyName, definition: Definition): readonly Unexpressed[] => policyRows.flatMap((row) => {
  const { [proxy]: expression, policy, places } = row
  if (expression.level === 'same') return []
  const { instead, why } = expression
  return [...new Set(places(definition, proxy))].map((path) => ({ policy, path, instead, why }))
})
