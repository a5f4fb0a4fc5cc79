import { family } from '../core/family.ts'
import { cloudMap } from './cloud-map.ts'
import { consul } from './consul.ts'
import { etcd } from './etcd.ts'
import { eureka } from './eureka.ts'
import { file } from './file.ts'
import type { Registrar } from './registrar.ts'

/** The registrars that come with enmesh; `registrars.with(kind)` adds one. */
export const registrars = family<Registrar>()(consul, etcd, eureka, file, cloudMap)

/** The table of registrars that come with enmesh. */
export type Registrars = typeof registrars
