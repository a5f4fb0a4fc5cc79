import { toEnvoy, toHaproxy, toNginx, type ProxyName } from '../../proxies/index.ts'
import type { Sidecar } from './sidecar.ts'

/** The proxies that are run, as their operators run them: reloads of HAProxy and nginx by a signal to their masters. */
export const sidecars: Readonly<Record<ProxyName, Sidecar>> = {
  haproxy: {
    name: 'haproxy', title: 'HAProxy', write: toHaproxy, file: 'haproxy.cfg',
    version: [['-v'], /version (\S+)/], install: 'apt-get install haproxy',
    run: (file) => ['-W', '-db', '-f', file],
    check: (file) => ['-c', '-q', '-f', file],
    slip: [/use_backend .*/, 'use_backend nowhere'],
    reload: 'SIGUSR2',
  },
  nginx: {
    name: 'nginx', title: 'nginx', write: toNginx, file: 'nginx.conf',
    version: [['-v'], /nginx\/(\S+)/], install: 'apt-get install nginx-light',
    run: (file, directory) => ['-e', 'stderr', '-p', directory, '-c', file],
    check: (file, directory) => ['-t', '-q', '-e', 'stderr', '-p', directory, '-c', file],
    slip: [/proxy_pass [^;]+;/, 'proxy_pass http://$$nowhere;'],
    reload: 'SIGHUP',
  },
  envoy: {
    name: 'envoy', title: 'Envoy', write: toEnvoy, file: 'envoy.json',
    version: [['--version'], /version: [0-9a-f]+\/([^/]+)/], install: 'https://www.envoyproxy.io/docs/envoy/latest/start/install',
    run: (file) => ['-c', file, '--concurrency', '1', '--disable-hot-restart', '--log-level', 'error'],
    check: (file) => ['--mode', 'validate', '-c', file, '--log-level', 'error'],
    slip: [/"cluster": ?"[^"]*"/, '"cluster": "nowhere"'],
  },
}
