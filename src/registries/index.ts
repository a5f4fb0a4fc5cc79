import { family } from '../core/family.ts'
import { dns } from './dns.ts'
import { file } from './file.ts'
import { firstOf } from './first-of.ts'
import { merge } from './merge.ts'
import type { Registry } from './registry.ts'
import { staticRegistry } from './static.ts'
import { subset } from './subset.ts'

/** The registries that come with the mesh; `registries.with(kind)` adds one. */
export const registries = family<Registry>()(staticRegistry, dns, file, firstOf, merge, subset)

/** The table of registries that come with the mesh. */
export type Registries = typeof registries
