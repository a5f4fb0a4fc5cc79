import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { proxyNames, type ProxyName } from '../proxies/index.ts'
import { version } from '../tracing/tracer.ts'
import { check } from './check.ts'
import type { CompareOptions } from './compare.ts'
import type { DefinitionOptions } from './definitions.ts'
import { diff } from './diff.ts'
import { explain, type Asked } from './explain.ts'
import { faultLine, tally } from './faults.ts'
import { importDefinition } from './import.ts'
import { proxyConfig, type ProxyCommandOptions } from './proxy.ts'
import { exit, shownBy, UsageError, type Result } from './result.ts'
import { harmless, paintFor, type Paint, type World } from './world.ts'

type Pairs = Readonly<Record<string, string>>

/** Collects `NAME=VALUE` by name; an option that is written several times adds to what is there. */
const pair = (written: string, before: Pairs = {}): Pairs => {
  const at = written.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('It is written NAME=VALUE.')
  return { ...before, [written.slice(0, at)]: written.slice(at + 1) }
}

const header = (written: string, before: readonly (readonly [string, string])[] = []): readonly (readonly [string, string])[] => {
  const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*:\s*(.*?)\s*$/.exec(written) ?? []
  if (name === undefined || value === undefined) throw new InvalidArgumentError("It is written 'name: value'.")
  if (/[\u0000\r\n]|[^\u0000-\u00ff]/.test(value)) throw new InvalidArgumentError('A value is text without line breaks, in Latin letters.')
  return [...before, [name, value]]
}

interface Written {
  readonly as?: string
  readonly mesh?: string
  readonly param?: Pairs
  readonly var?: Pairs
  readonly endpoints?: Pairs
  readonly ca?: Pairs
  readonly cert?: Pairs
  readonly json?: boolean
  readonly out?: string
  readonly force?: boolean
  readonly header?: Asked['headers']
  readonly exitCode?: boolean
  readonly for?: ProxyName
  readonly listen?: string
  readonly resolver?: readonly string[]
  readonly threads?: number
  readonly admin?: string
  readonly bundle?: Pairs
}

const upTo = (most: number) => (written: string): number => {
  const number = Number(written)
  if (!Number.isSafeInteger(number) || number < 1 || number > most) throw new InvalidArgumentError(`It is a whole number from 1 to ${most}.`)
  return number
}

const addressed = (written: string, before: readonly URL[] = []): readonly URL[] => {
  if (!/^https?:\/\//i.test(written) || !URL.canParse(written)) throw new InvalidArgumentError('It is written http://pricing.shop.local/price/42.')
  return [...before, new URL(written)]
}

const another = (written: string, before: readonly string[] = []): readonly string[] => [...before, written]

const definitionOptions = (command: Command): Command => command
  .option('--as <node>', 'the virtual node (or gateway) that calls: its backends decide what it may call')
  .option('--mesh <name>', 'the mesh that is meant, where the files define several or name none')
  .addOption(new Option('--param <name=value>', 'a parameter of CloudFormation, or ${name} of a manifest; may be repeated').argParser(pair))
  .addOption(new Option('--var <name=value>', 'a variable of Terraform, lists and objects as JSON; may be repeated').argParser(pair))
  .addOption(new Option('--endpoints <node=addresses>', 'host:port,… in place of the discovery of a node; may be repeated').argParser(pair))
  .addOption(new Option('--ca <name=file>', 'the file of an authority that the definition names by ARN, secret or path; may be repeated').argParser(pair))
  .addOption(new Option('--cert <name=file,key>', 'the files of a certificate and its key, in the same way; may be repeated').argParser(pair))

const variableOf = (text: string): unknown => {
  if (!/^\s*[[{]/.test(text)) return text
  try {
    return JSON.parse(text)
  } catch {
    throw new UsageError(`--var takes lists and objects as JSON, and this is none: ${text}`)
  }
}

const mapped = <Value>(pairs: Pairs = {}, change: (text: string, name: string) => Value): Record<string, Value> =>
  Object.fromEntries(Object.entries(pairs).map(([name, text]) => [name, change(text, name)]))

const certificatesOf = ({ ca, cert }: Written): NonNullable<DefinitionOptions['certificates']> => {
  const files: Record<string, { ca?: string, cert?: string, key?: string }> = mapped(ca, (file) => ({ ca: file }))
  for (const [name, text] of Object.entries(cert ?? {})) {
    const [file = '', key, ...more] = text.split(',')
    if (file === '' || !key || more.length > 0) throw new UsageError(`--cert takes NAME=certificate.pem,key.pem, and not '${name}=${text}'`)
    files[name] = { ...files[name], cert: file, key }
  }
  return files
}

const addressesOf = (text: string, node: string): readonly string[] => {
  const addresses = text.split(',').map((address) => address.trim())
  if (addresses.includes('')) throw new UsageError(`--endpoints takes ${node}=127.0.0.1:9001, or several with commas between, and not '${node}=${text}'`)
  return addresses
}

const optionsOf = (written: Written): DefinitionOptions => ({
  ...(written.as !== undefined && { as: written.as }),
  ...(written.mesh !== undefined && { mesh: written.mesh }),
  parameters: written.param ?? {},
  variables: mapped(written.var, variableOf),
  endpoints: mapped(written.endpoints, addressesOf),
  certificates: certificatesOf(written),
})

/** Takes `FILES… [METHOD] URL` apart. */
const askedOf = (words: readonly string[], headers: Asked['headers']): { readonly files: readonly string[], readonly asked: Asked } => {
  const written = words.at(-1)!
  if (!/^https?:\/\//i.test(written) || !URL.canParse(written)) {
    throw new UsageError(`the last word is the URL that is asked about, as in http://pricing.shop.local/x, and not '${written}'`)
  }
  const before = words.at(-2) ?? ''
  const hasMethod = /^[A-Z]+$/.test(before)
  const files = words.slice(0, hasMethod ? -2 : -1)
  if (files.length === 0) throw new UsageError('no file is given: write the files first, then the method and the URL')
  return { files, asked: { method: hasMethod ? before : 'GET', url: new URL(written), headers } }
}

const jsonOption = (command: Command): Command => command.option('--json', 'say everything as JSON, on stdout')

const files = 'App Mesh definitions in CloudFormation, Kubernetes, Terraform or API JSON (files, directories, - for stdin), or configurations of enmesh'

const programOf = (done: (run: Promise<Result>, written: Written) => Promise<void>, world: World, json: boolean): Command => {
  const program = new Command('enmesh')
    .description('Looks at configurations of enmesh and at definitions of AWS App Mesh. It sends nothing and changes nothing, but the file that `--out` names; `compare` alone calls services, and writes a report.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => { world.stdout.write(text) },
      // As JSON it is said on stdout, once it is thrown.
      writeErr: (text) => { if (!json) world.stderr.write(text) },
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText('after', `
Exit codes: 0 all is well, 1 faults were found, 2 wrongly called, 3 differences were found (diff --exit-code).

  enmesh check mesh/*.yaml
  enmesh import shop.tf --as gateway --out enmesh.yaml
  enmesh proxy enmesh.yaml --for haproxy --out haproxy.cfg
  enmesh explain enmesh.yaml GET http://pricing.shop.local/x -H 'x-tenant: acme'
  enmesh diff old.yaml new.yaml
  enmesh compare enmesh.yaml --url http://pricing.shop.local/x`)

  jsonOption(definitionOptions(program.command('check').description('Finds every fault, with its place. Those of App Mesh are read together, as one mesh.').argument('<files...>', files)))
    .action((paths: string[], written: Written) => done(check(paths, optionsOf(written), world), written))

  jsonOption(definitionOptions(program.command('import').description('Writes a configuration of enmesh that does what a definition of App Mesh says.').argument('<files...>', files)))
    .option('-o, --out <file>', 'where to write it (.yaml); stdout without it')
    .option('-f, --force', 'replace the file if it is there')
    .action((paths: string[], written: Written) => done(importDefinition(paths, { ...optionsOf(written), ...outOf(written) }, world), written))

  jsonOption(definitionOptions(program.command('proxy').description('Writes the configuration of a sidecar proxy with the same policies, and says (on stderr) what of them it cannot express.').argument('<files...>', files)))
    .addOption(new Option('--for <proxy>', 'the proxy').choices(proxyNames).makeOptionMandatory())
    .option('--listen <address>', 'where it takes calls, 127.0.0.1:15001 by default')
    .option('--resolver <addresses...>', 'DNS servers to ask for names, as 10.0.0.2:53')
    .addOption(new Option('--threads <number>', 'its threads or processes, 1 by default').argParser(upTo(64)))
    .option('--admin <place>', 'where it tells of itself: a socket (haproxy), an address and a port (nginx, envoy)')
    .addOption(new Option('--bundle <cluster=file>', 'the file with the certificate and the key of a cluster, as HAProxy reads them; may be repeated').argParser(pair))
    .option('-o, --out <file>', 'where to write it; stdout without it')
    .option('-f, --force', 'replace the file if it is there')
    .action((paths: string[], written: Written) => done(proxyConfig(paths, proxyOptionsOf(written), world), written))

  jsonOption(definitionOptions(program.command('explain').description('Says where a request would go, and why not elsewhere. Nothing is sent, and no registry is asked.')
    .usage('[options] <files...> [METHOD] <url>').argument('<files...>', `${files}; then the method (GET without it) and the URL`)))
    .addOption(new Option('-H, --header <header>', "a header of the request, 'name: value'; may be repeated").argParser(header))
    .action((words: string[], written: Written) => {
      const { files: paths, asked } = askedOf(words, written.header ?? [])
      return done(explain(paths, asked, optionsOf(written), world), written)
    })

  jsonOption(definitionOptions(program.command('diff').description('Says what a mesh would do otherwise: services, routes and clusters that are added, changed or removed.')
    .argument('<old>', 'a definition or configuration, as for check; a directory for several files').argument('<new>', 'another one')))
    .option('--exit-code', 'end with 3 where there are differences')
    .action((before: string, after: string, written: Written) =>
      done(diff(before, after, { ...optionsOf(written), exitCode: written.exitCode ?? false }, world), written))

  jsonOption(definitionOptions(program.command('compare')
    .description('Calls services that run already through a mesh, through proxies made from the same definition and without either, and sets them side by side.')
    .argument('<files...>', files)))
    .addOption(new Option('--url <url>', 'what is called, with GET; a service that the definition knows; may be repeated').argParser(addressed))
    .addOption(new Option('--only <arrangement>', 'only this one, as enmesh-fetch or haproxy-request; may be repeated').argParser(another))
    .addOption(new Option('--in-flight <n>', 'requests under way at once').argParser(upTo(256)).default(4))
    .addOption(new Option('--requests <n>', 'requests that count, at most, of each arrangement in each round').argParser(upTo(1_000_000)).default(1_000))
    .addOption(new Option('--seconds <n>', 'time that they may take, at most').argParser(upTo(600)).default(5))
    .addOption(new Option('--rounds <n>', 'rounds, each with every arrangement').argParser(upTo(100)).default(3))
    .addOption(new Option('--seed <n>', 'seed of the order in each round').argParser(upTo(2 ** 31)).default(1))
    .option('-o, --out <directory>', 'where the report goes', 'compare-report')
    .action(async (paths: string[], written: Written & CompareOptions) => {
      // Loaded where it is asked for: it is the one command that needs it.
      const { compareServices } = await import('./compare.ts')
      return done(compareServices(paths, optionsOf(written), written, world), written)
    })

  return program
}

const outOf = ({ out, force }: Written): { out?: string, force?: boolean } => ({ ...(out !== undefined && { out }), ...(force !== undefined && { force }) })

const proxyOptionsOf = (written: Written): ProxyCommandOptions => ({
  ...optionsOf(written),
  ...outOf(written),
  proxy: written.for!,
  bundles: written.bundle ?? {},
  machine: {
    ...(written.listen !== undefined && { listen: written.listen }),
    ...(written.resolver && { resolvers: written.resolver }),
    ...(written.threads !== undefined && { threads: written.threads }),
    ...(written.admin !== undefined && { admin: written.admin }),
  },
})

const faultLines = ({ faults, warnings }: Result, paint: Paint): readonly string[] => {
  if (warnings === 'told') return faults.map((fault) => faultLine(fault, paint))
  return faults.length === 0 ? [] : [`${paint('yellow', tally(faults))}: \`enmesh check\` tells ${faults.length === 1 ? 'it' : 'them'}`]
}

const tell = (result: Result, json: boolean, world: World): void => {
  const { code, faults, text, data, withheld } = result
  const shown = shownBy(withheld)
  if (json) {
    const all = { ok: code === exit.well || code === exit.differences, faults, ...data }
    world.stdout.write(`${JSON.stringify(all, (_, value: unknown) => typeof value === 'string' ? shown(value) : value, 2)}\n`)
    return
  }
  for (const line of faultLines(result, paintFor(world.stderr, world.env))) world.stderr.write(`${harmless(shown(line))}\n`)
  const said = text(paintFor(world.stdout, world.env))
  if (said !== '') world.stdout.write(`${harmless(shown(said))}\n`)
}

/** Does what a command line asks for. Resolves to the exit code. */
export const run = async (args: readonly string[], world: World): Promise<number> => {
  let code: number = exit.well
  const json = args.includes('--json')
  const program = programOf(async (running, { json = false }) => {
    const result = await running
    tell(result, json, world)
    code = result.code
  }, world, json)
  try {
    await program.parseAsync(args, { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exit.well
    if (!(error instanceof CommanderError || error instanceof UsageError)) throw error
    const message = error.message.replace(/^error: /, '')
    if (json) world.stdout.write(`${JSON.stringify({ ok: false, faults: [{ severity: 'error', message }] }, undefined, 2)}\n`)
    else if (error instanceof UsageError) world.stderr.write(harmless(`error: ${message}\n`))
    return exit.usage
  }
}
