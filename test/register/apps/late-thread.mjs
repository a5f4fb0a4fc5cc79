// Starts a worker thread when it is told to.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

console.log('ready')
await once(process.stdin, 'data')
const worker = new Worker(new URL('ask.mjs', import.meta.url))
worker.on('error', (error) => console.log(`the thread failed: ${error.message.replaceAll('\n', '')}`))
