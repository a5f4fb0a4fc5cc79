import { describe, test } from 'vitest'
import { brokenPlugIns } from './plug-ins.ts'

brokenPlugIns({ describe, test })
