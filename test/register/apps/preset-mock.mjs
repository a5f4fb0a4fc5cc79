// Stands in the process's place before the mesh does.
import { MockAgent, setGlobalDispatcher } from 'undici'

const agent = new MockAgent()
agent.disableNetConnect()
agent.get('http://mock.test').intercept({ path: '/' }).reply(200, 'mocked').persist()
setGlobalDispatcher(agent)
