// Asks each URL by every undici that an application may have.
import * as undici6 from 'undici6'
import * as undici7 from 'undici7'
import * as undici8 from 'undici'

for (const url of process.argv.slice(2)) {
  for (const [name, { fetch, request }] of Object.entries({ undici6, undici7, undici8 })) {
    console.log(`${name}.fetch ${await (await fetch(url)).text()}`)
    console.log(`${name}.request ${await (await request(url)).body.text()}`)
  }
}
