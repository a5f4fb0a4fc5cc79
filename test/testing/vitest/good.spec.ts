import { describe, test } from 'vitest'
import { goodPlugIns } from './plug-ins.ts'

goodPlugIns({ describe, test })
