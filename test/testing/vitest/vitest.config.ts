import { defineConfig } from 'vitest/config'

export default defineConfig({
  root: import.meta.dirname,
  cacheDir: '../../../node_modules/.vitest',
  test: { include: ['*.spec.ts'], pool: 'forks', maxWorkers: 1 },
})
