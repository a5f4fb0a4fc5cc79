#!/usr/bin/env node
import { text } from 'node:stream/consumers'
import { run } from './program.ts'

// Whoever reads no further, `head` for instance, has seen enough.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit()
  })
}

process.exitCode = await run(process.argv.slice(2), {
  stdout: process.stdout, stderr: process.stderr, env: process.env, stdin: () => text(process.stdin),
})
