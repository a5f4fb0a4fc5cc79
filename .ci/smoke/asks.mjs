// An application that has never heard of enmesh: asks each URL with the platform's fetch and with undici.
import { request } from 'undici'

for (const url of process.argv.slice(2)) {
  console.log(await (await fetch(url)).text(), await (await request(url)).body.text())
}
