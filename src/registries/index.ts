import { family } from '../core/family.ts'
import { consul } from './consul.ts'
import { dns } from './dns.ts'
import { etcd } from './etcd.ts'
import { eureka } from './eureka.ts'
import { kubernetes } from './kubernetes.ts'
import type { Registry } from './registry.ts'
import { staticRegistry } from './static.ts'

/** The registries that come with the mesh; `registries.with(kind)` adds one. */
export const registries = family<Registry>()(staticRegistry, dns, consul, etcd, kubernetes, eureka)

/** The table of registries that come with the mesh. */
export type Registries = typeof registries
