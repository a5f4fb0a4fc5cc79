import { homedir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { textOf } from '../config/secret.ts'
import { serverUrl } from './http.ts'
import type { TlsMaterial } from './server-tls.ts'

/** How the API server of a cluster is reached, and as whom. */
export interface KubeAccess {
  /** The URL of the API server, without a slash at its end. */
  readonly server: string
  readonly headers: Readonly<Record<string, string>>
  readonly tls: TlsMaterial
  /** The namespace that is meant where none is named. */
  readonly namespace: string
}

/**
 * The access that the pod's service account has. Its files are read anew each time, since the token is renewed about every hour.
 * Throws an `Error` that names the file or variable that is missing.
 */
export const accessInCluster = async (serviceAccount: string): Promise<KubeAccess> => {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = process.env
  if (!host) throw new Error("this is no pod of Kubernetes (KUBERNETES_SERVICE_HOST is not set): write `kubeconfig: 'path'` to reach a cluster from outside")
  const [token, ca, namespace] = await Promise.all(['token', 'ca.crt', 'namespace'].map((name) => textOf(join(serviceAccount, name))))
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    headers: { authorization: `Bearer ${token!.trim()}` },
    tls: { ca: ca! },
    namespace: namespace!.trim(),
  }
}

const text = z.string().min(1)
const named = <Name extends string, Shape extends z.ZodType>(name: Name, shape: Shape) => z.array(z.object({ name: text, [name]: shape } as { name: typeof text } & Record<Name, Shape>))

const kubeconfigFile = z.object({
  'current-context': z.string().optional(),
  'contexts': named('context', z.object({ cluster: text, user: text, namespace: z.string().optional() })),
  'clusters': named('cluster', z.object({
    'server': serverUrl,
    'certificate-authority': text.optional(),
    'certificate-authority-data': z.base64().optional(),
    'insecure-skip-tls-verify': z.boolean().optional(),
    'tls-server-name': text.optional(),
  })),
  'users': named('user', z.object({
    'token': text.optional(),
    'tokenFile': text.optional(),
    'client-certificate': text.optional(),
    'client-certificate-data': z.base64().optional(),
    'client-key': text.optional(),
    'client-key-data': z.base64().optional(),
    'exec': z.unknown().optional(),
    'auth-provider': z.unknown().optional(),
    'username': z.unknown().optional(),
  })),
})

/** The kubeconfig that `kubectl` would use. Throws an `Error` where `KUBECONFIG` names several, which `kubectl` would merge. */
const usualKubeconfig = (): string => {
  const named = process.env['KUBECONFIG']
  if (!named) return join(homedir(), '.kube', 'config')
  if (named.includes(delimiter)) throw new Error('KUBECONFIG names several files, which are not merged here: write `kubeconfig` with the path of one')
  return named
}

/** The path of a kubeconfig, `true` standing for the one that `kubectl` would use. */
export const kubeconfigPath = (kubeconfig: string | true): string => resolve(kubeconfig === true ? usualKubeconfig() : kubeconfig)

/**
 * The access that a kubeconfig describes, for its current context or the one named. Tokens and client certificates are understood;
 * plug-ins that would have to be run are not. The file and those it names are read anew each time. Throws an `Error` that says what is wrong
 * with which part of the file, without repeating it.
 */
export const accessByKubeconfig = async (path: string, context: string | undefined): Promise<KubeAccess> => {
  const file = await readKubeconfig(path)
  const name = context ?? file['current-context']
  if (!name) throw new Error(`the kubeconfig '${path}' has no current context: write \`context\``)
  const { cluster: clusterName, user: userName, namespace } = partOf(path, 'context', name, file.contexts).context
  const { cluster } = partOf(path, 'cluster', clusterName, file.clusters)
  const { user } = partOf(path, 'user', userName, file.users)
  for (const way of ['exec', 'auth-provider', 'username'] as const) {
    if (user[way] === undefined) continue
    throw new Error(`the user '${userName}' of the kubeconfig '${path}' signs in by '${way}', which is not supported: ` +
      'give it a token, a tokenFile, or a client certificate, for instance that of a service account')
  }
  const read = async (inline: string | undefined, other: string | undefined): Promise<string | undefined> =>
    inline !== undefined ? Buffer.from(inline, 'base64').toString('utf8') : other === undefined ? undefined : textOf(resolve(dirname(path), other))
  const [ca, cert, key] = await Promise.all([
    read(cluster['certificate-authority-data'], cluster['certificate-authority']),
    read(user['client-certificate-data'], user['client-certificate']),
    read(user['client-key-data'], user['client-key']),
  ])
  const token = user.tokenFile === undefined ? user.token : await textOf(resolve(dirname(path), user.tokenFile))
  return {
    server: cluster.server,
    headers: token === undefined ? {} : { authorization: `Bearer ${token.trim()}` },
    tls: {
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      ...(cluster['tls-server-name'] !== undefined && { servername: cluster['tls-server-name'] }),
      ...(cluster['insecure-skip-tls-verify'] && { rejectUnauthorized: false }),
    },
    namespace: namespace || 'default',
  }
}

const readKubeconfig = async (path: string): Promise<z.output<typeof kubeconfigFile>> => {
  const [written, { parse }] = await Promise.all([textOf(path), import('yaml')])
  let parsed: unknown
  try {
    parsed = parse(written, { prettyErrors: false })
  } catch {
    // What the parser says quotes the file, which holds secrets.
    throw new Error(`the kubeconfig '${path}' is not YAML`)
  }
  const { success, data, error } = kubeconfigFile.safeParse(parsed)
  if (success) return data
  const [{ path: place, message } = { path: [], message: '' }] = error.issues
  throw new Error(`the kubeconfig '${path}' is not one${place.length > 0 ? ` at ${place.map(String).join('.')}` : ''}: ${message}`)
}

const partOf = <Part extends { readonly name: string }>(path: string, what: string, name: string, parts: readonly Part[]): Part => {
  const found = parts.find((part) => part.name === name)
  if (!found) throw new Error(`the kubeconfig '${path}' has no ${what} '${name}', only: ${parts.map((part) => part.name).join(', ') || 'none'}`)
  return found
}
