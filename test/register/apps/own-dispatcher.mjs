// Sets a global dispatcher of its own, as applications do, and then asks each URL: `own-dispatcher.mjs <which> <how> <url>…`
import * as undici6 from 'undici6'
import * as undici7 from 'undici7'
import * as undici8 from 'undici'

const [which, how, ...urls] = process.argv.slice(2)
const { Agent, getGlobalDispatcher, MockAgent, ProxyAgent, request, setGlobalDispatcher } = { undici6, undici7, undici8 }[which]

const mock = () => {
  const agent = new MockAgent()
  agent.disableNetConnect()
  for (const url of urls) agent.get(new URL(url).origin).intercept({ path: '/' }).reply(200, 'mocked').persist()
  return agent
}

const marked = (dispatch) => (options, handler) => dispatch({ ...options, headers: { 'x-by': 'interceptor' } }, handler)

const makes = {
  agent: () => new Agent(),
  proxy: () => new ProxyAgent(process.env.PROXY),
  mock,
  composed: () => getGlobalDispatcher().compose(marked),
}
setGlobalDispatcher(makes[how]())

const said = (answer) => answer.catch((error) => `failed: ${(error.cause ?? error).code}`)
for (const url of urls) {
  console.log(`fetch ${await said(fetch(url).then((response) => response.text()))}`)
  console.log(`Request ${await said(fetch(new Request(url)).then((response) => response.text()))}`)
  console.log(`request ${await said(request(url).then(({ body }) => body.text()))}`)
}
