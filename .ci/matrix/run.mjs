/**
 * Every case on every path under this Node: prints a line for each path, and each case that failed; exits with 1 if any did.
 *
 *     node .ci/matrix/run.mjs [module of enmesh]
 */
import { execFile } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { paths } from './paths.mjs'

const row = new URL('row.mjs', import.meta.url).pathname
const enmesh = pathToFileURL(process.argv[2] ?? 'src/index.ts').href

const resultsOf = async (number) => {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, ['--no-warnings', row, enmesh, String(number)], { timeout: 180_000 })
    return JSON.parse(stdout)
  } catch (error) {
    return [['the process', String(error.stderr || error)]]
  }
}

const all = paths.map(() => undefined)
let next = 0
const work = async () => {
  while (next < paths.length) {
    const number = next++
    all[number] = paths[number].lacks ? [] : await resultsOf(number)
  }
}
await Promise.all(Array.from({ length: Math.min(availableParallelism(), 4) }, work))

const totals = { passed: 0, failed: 0 }
for (const [number, results] of all.entries()) {
  const { name, lacks } = paths[number]
  const tried = results.filter(([, result]) => result !== 'n/a')
  const failed = tried.filter(([, result]) => result !== 'ok')
  totals.passed += tried.length - failed.length
  totals.failed += failed.length
  console.log(lacks ? `  –/–  ${name}: ${lacks}` : `${String(tried.length - failed.length).padStart(3)}/${tried.length} ${name}`)
  for (const [what, result] of failed) console.log(`       ✖ ${what}: ${result.split('\n').slice(0, 4).join('\n         ')}`)
}
console.log(`matrix on Node ${process.version} (undici ${process.versions.undici}): ${totals.passed} passed, ${totals.failed} failed`)
process.exitCode = totals.failed > 0 ? 1 : 0
