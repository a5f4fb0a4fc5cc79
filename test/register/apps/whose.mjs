// Tells for each URL whose undici sends the request: Node's own, or the package that the mesh brings along.
import { subscribe } from 'node:diagnostics_channel'
import Request from 'undici/lib/core/request.js'

let whose
subscribe('undici:request:create', ({ request }) => { whose = request instanceof Request ? 'the package' : 'Node' })
for (const url of process.argv.slice(2)) {
  await (await fetch(url)).text()
  console.log(whose)
}
