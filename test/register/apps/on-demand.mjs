// Asks a URL for each line that comes in, and ends with them.
import { createInterface } from 'node:readline'

for await (const url of createInterface({ input: process.stdin })) {
  console.log(await fetch(url).then((response) => response.text(), ({ cause }) => cause.code))
}
