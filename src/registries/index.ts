import { family } from '../core/family.ts'
import { cloudMap } from './cloud-map.ts'
import { consul } from './consul.ts'
import { dns } from './dns.ts'
import { etcd } from './etcd.ts'
import { eureka } from './eureka.ts'
import { file } from './file.ts'
import { firstOf } from './first-of.ts'
import { kubernetes } from './kubernetes.ts'
import { merge } from './merge.ts'
import type { Registry } from './registry.ts'
import { staticRegistry } from './static.ts'
import { subset } from './subset.ts'

/** The registries that come with the mesh; `registries.with(kind)` adds one. */
export const registries = family<Registry>()(staticRegistry, dns, file, cloudMap, consul, etcd, kubernetes, eureka, firstOf, merge, subset)

/** The table of registries that come with the mesh. */
export type Registries = typeof registries
