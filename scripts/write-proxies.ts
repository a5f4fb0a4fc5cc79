import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { proxiesGuide, proxiesPage, writtenGuide } from './proxies.ts'

writeFileSync(join(import.meta.dirname, '..', proxiesPage), proxiesGuide(writtenGuide()))
