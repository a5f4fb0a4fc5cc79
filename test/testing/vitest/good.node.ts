import { goodPlugIns } from './plug-ins.ts'

goodPlugIns()
