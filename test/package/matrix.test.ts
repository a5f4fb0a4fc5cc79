import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'

test('every way to the dispatcher, by whichever undici, carries every kind of request', async () => {
  const run = new URL('../../.ci/matrix/run.mjs', import.meta.url).pathname
  const { failed, output } = await new Promise<{ failed: boolean, output: string }>((resolve) => {
    execFile(process.execPath, [run, 'src/index.ts'], { cwd: new URL('../..', import.meta.url) }, (error, stdout, stderr) => {
      resolve({ failed: error !== null, output: stdout + stderr })
    })
  })
  assert.ok(!failed, output)
  assert.match(output, /: 1\d{3} passed, 0 failed/)
})
