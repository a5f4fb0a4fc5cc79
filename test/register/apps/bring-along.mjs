// Calls with dispatchers of their own, which say where they go.
import { MockAgent as MockAgent7 } from 'undici7'
import { MockAgent as MockAgent6 } from 'undici6'

const [url] = process.argv.slice(2)
const MockAgent = process.versions.undici.startsWith('6') ? MockAgent6 : MockAgent7
const dispatcher = new MockAgent()
dispatcher.disableNetConnect()
dispatcher.get(new URL(url).origin).intercept({ path: '/' }).reply(200, 'brought').persist()
console.log(await (await fetch(url, { dispatcher })).text())
console.log(await (await fetch(new Request(url, { dispatcher }))).text())
