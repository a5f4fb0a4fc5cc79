// Sends everything through a proxy, in the process's place before the mesh is.
import { ProxyAgent, setGlobalDispatcher } from 'undici'

setGlobalDispatcher(new ProxyAgent({ uri: process.env.PROXY, proxyTunnel: false }))
