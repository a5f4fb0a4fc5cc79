import { brokenPlugIns } from './plug-ins.ts'

brokenPlugIns()
