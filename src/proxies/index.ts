export { toEnvoy } from './envoy.ts'
export { toHaproxy } from './haproxy.ts'
export { toNginx } from './nginx.ts'
export { ProxyConfigError, proxyNames, type ProxyCertificates, type ProxyConfig, type ProxyName, type ProxyOptions, type Unexpressed, type WriteProxy } from './proxy.ts'
