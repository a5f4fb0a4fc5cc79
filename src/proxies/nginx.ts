import { readDefinition } from './definition.ts'
import { unexpressedBy } from './expression.ts'
import type { ProxyConfig, WriteProxy } from './proxy.ts'
import { attemptsOf, silence, timesOf } from './timing.ts'

/** Writes a configuration of nginx for `nginx -p FOLDER -c FILE`. */
export const toNginx: WriteProxy = (config, options = {}): ProxyConfig => {
  const definition = readDefinition(config, options)
  const upstreams = definition.upstreams.map(({ id, source, config }) => `  upstream ${id} {
    least_conn;
${source.kind === 'static' ? source.endpoints.map(({ host, port }) => `    server ${host}:${port} max_fails=5 fail_timeout=10s;`).join('\n') : ''}
    keepalive ${config.connections};
  }`)
  const servers = definition.services.map(({ host, routes: [route] }) => {
    const { upstream } = route!.targets[0]!
    const times = timesOf(route!, upstream)
    return `  server {
    listen ${definition.listen.host}:${definition.listen.port};
    server_name ${host};
    location / {
      proxy_pass http://${upstream.id};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_connect_timeout ${times.connect}ms;
      proxy_read_timeout ${silence(times)}ms;
      proxy_next_upstream error timeout http_503;
      proxy_next_upstream_tries ${attemptsOf(route!)};
    }
  }`
  })
  return {
    text: `daemon off;
worker_processes ${options.threads ?? 1};
pid nginx.pid;
error_log stderr;
events { worker_connections 4096; }
http {
  access_log off;
  client_max_body_size 0;
${[...upstreams, ...servers].join('\n')}
}
`,
    unexpressed: unexpressedBy('nginx', definition),
  }
}
