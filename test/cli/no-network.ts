/** Loaded with `--import`: tells on stderr of whatever is sent or asked over a network. */
import dgram from 'node:dgram'
import dns from 'node:dns'
import net from 'node:net'

const told = <Of extends object>(of: Of, name: keyof Of & string): void => {
  const original = of[name] as (...args: unknown[]) => unknown
  of[name] = function (this: unknown, ...args: unknown[]) {
    process.stderr.write(`NETWORK: ${name}\n`)
    return original.apply(this, args)
  } as never
}

told(net.Socket.prototype, 'connect')
told(dgram, 'createSocket')
told(dns, 'lookup')
told(dns.promises, 'lookup')
for (const method of ['resolve', 'resolve4', 'resolve6', 'resolveSrv'] as const) {
  told(dns.Resolver.prototype, method)
  told(dns.promises.Resolver.prototype, method)
}
