import { writeFileSync } from 'node:fs'
import { configSchema } from '../src/config-file/schema.ts'

// The package exports it as enmesh/schema.json.
writeFileSync(new URL('../dist/schema.json', import.meta.url), `${JSON.stringify(configSchema(), undefined, 2)}\n`)
