// Asks in a worker thread.
import { isMainThread, Worker } from 'node:worker_threads'

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) })
  worker.on('error', (error) => console.log(`the thread failed: ${error.message.replaceAll('\n', '')}`))
  worker.on('exit', (code) => console.log(`the thread ended with ${code}`))
} else {
  console.log(await (await fetch(process.argv[2])).text())
}
