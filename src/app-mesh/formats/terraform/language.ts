import path from 'node:path'
import { readJson } from '../../../config-file/json.ts'
import { plainOf, Unreadable } from '../../../config-file/piece.ts'
import type { Fault, Source } from '../../found.ts'
import { positionIn } from '../../body/positions.ts'
import { Effort } from './effort.ts'
import type { Ast } from './expression.ts'
import { Module, type Block, type Call, type Instance, type ModuleFiles } from './module.ts'
import { tooDeep } from './nesting.ts'
import { expressionsIn } from './template.ts'

type Json = Readonly<Record<string, unknown>>

/** What is used of the parser of Terraform's language, the package `@cdktf/hcl2json`. */
export interface HclParser {
  parse(filename: string, contents: string): Promise<Json>
  getExpressionAst(filename: string, expression: string): Promise<unknown>
}

/** Loads the parser; rejects where it is not installed. */
export type LoadParser = () => Promise<HclParser>

const isConfiguration = ({ file }: Source): boolean => /\.tf(?:\.json)?$/.test(file)
const isValues = ({ file }: Source): boolean => /\.tfvars(?:\.json)?$/.test(file)

/** Whether a source is written in Terraform's language. Only its file's name tells: HCL has no other sign. */
export const isLanguage = (source: Source): boolean => isConfiguration(source) || isValues(source)

interface Declared { readonly file: string }

interface Parsed { readonly source: Source, readonly body: Json }

/** A message of the parser, without its own words around it: `main.tf:3,5-6: …`. */
const saidBy = (error: unknown): string => String(error instanceof Error ? error.message : error).replace(/^parse config: \[(.*)\]$/s, '$1')

/**
 * Evaluates configurations as far as files alone allow: all files of one directory are a module, as for Terraform, and
 * `.tfvars` give values to variables. Modules that are called are read with the values of the call where their directory is
 * among the sources.
 */
export const instancesOf = async (
  sources: readonly Source[], variables: Json, load: LoadParser, tell: (fault: Fault) => void,
): Promise<readonly Instance[]> => {
  let parser: HclParser
  try {
    parser = await load()
  } catch (error) {
    tell({
      severity: 'error', file: sources[0]!.file,
      message: `cannot be read without the parser of Terraform's language: npm install @cdktf/hcl2json; or read what terraform show -json says ` +
        `(${error instanceof Error && 'code' in error ? String(error.code) : 'it does not load'})`,
    })
    return []
  }
  const parsed = await parseAll(sources, parser, tell)
  // Those of `terraform.tfvars` count least, as for Terraform.
  const given = parsed.filter(({ source }) => isValues(source)).sort((one, other) => Number(isFirst(other)) - Number(isFirst(one)))
  const values = Object.fromEntries(given.flatMap(({ body }) => Object.entries(body)))
  const configurations = parsed.filter(({ source }) => isConfiguration(source))
  const modules = new Map<string, ModuleFiles>()
  for (const directory of new Set(configurations.map(({ source }) => path.dirname(source.file)))) {
    const files = configurations.filter(({ source }) => path.dirname(source.file) === directory)
    modules.set(path.normalize(directory), await moduleFiles(directory, files, parser, tell))
  }
  return new Configuration(modules, { ...values, ...variables }, tell).instances()
}

const isFirst = ({ source: { file } }: Parsed): boolean => path.basename(file).startsWith('terraform.tfvars')

const parseAll = async (
  sources: readonly Source[], parser: HclParser, tell: (fault: Fault) => void,
): Promise<readonly Parsed[]> => {
  const parsed: Parsed[] = []
  for (const source of sources) {
    try {
      const body = source.file.endsWith('.json') ? plainOf(readJson(source.text)) : await languageOf(source, parser)
      if (!isObject(body)) throw new Error('it is no object')
      parsed.push({ source, body })
    } catch (error) {
      const place = error instanceof Unreadable ? positionIn(source)(error.at) : {}
      tell({ severity: 'error', file: source.file, ...place, message: `is not written in Terraform's language: ${saidBy(error)}` })
    }
  }
  return parsed
}

const languageOf = ({ file, text }: Source, parser: HclParser): Promise<unknown> => {
  if (tooDeep(text)) throw new Error('it is nested too deep')
  return parser.parse(file, text)
}

const moduleFiles = async (
  directory: string, files: readonly Parsed[], parser: HclParser, tell: (fault: Fault) => void,
): Promise<ModuleFiles> => {
  const once = <One extends Declared>(prefix: string, all: readonly (readonly [string, One])[]): ReadonlyMap<string, One> =>
    declaredOnce(prefix, all, tell)
  const all = (kind: string, prefix = `${kind}.`): ReadonlyMap<string, Block> =>
    once(prefix, files.flatMap(({ source, body }) => labelled(body[kind], source.file)))
  const typed = (kind: string, prefix: string): ReadonlyMap<string, Block> => once(prefix, files.flatMap(({ source, body }) =>
    labels(body[kind]).flatMap(([type, blocks]) => labelled(blocks, source.file).map(([name, block]) => [`${type}.${name}`, block] as const))))
  return {
    directory,
    locals: once('local.', files.flatMap(({ source, body }) => labels(body.locals).map(([name, value]) => [name, { file: source.file, value }] as const))),
    resources: typed('resource', ''),
    data: typed('data', 'data.'),
    variables: all('variable', 'var.'),
    outputs: all('output'),
    modules: all('module'),
    expressions: await parsedExpressions(files, parser),
  }
}

/** What was declared, by name. Of two of one name neither counts more: that is told, and the first is read on with. */
const declaredOnce = <One extends Declared>(
  prefix: string, all: readonly (readonly [string, One])[], tell: (fault: Fault) => void,
): ReadonlyMap<string, One> => {
  const declared = new Map<string, One>()
  for (const [name, one] of all) {
    const before = declared.get(name)
    if (!before) declared.set(name, one)
    else {
      const where = before.file === one.file ? 'in this file' : `in ${before.file}`
      const message = `is declared already ${where}: take one of the two out, or rename it`
      tell({ severity: 'error', file: one.file, resource: `${prefix}${name}`, message })
    }
  }
  return declared
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

/** What stands under each label. In JSON it may be one object, or a list of them. */
const labels = (blocks: unknown): readonly (readonly [string, unknown])[] => [blocks].flat().filter(isObject).flatMap((block) => Object.entries(block))

/** Blocks by their last label. */
const labelled = (blocks: unknown, file: string): readonly (readonly [string, Block])[] =>
  labels(blocks).flatMap(([name, bodies]) => {
    const all = [bodies].flat().filter(isObject)
    return (all.length > 0 ? all : [{}]).map((body) => [name, { file, body }] as const)
  })

const parsedExpressions = async (files: readonly Parsed[], parser: HclParser): Promise<ReadonlyMap<string, Ast | Error>> => {
  const expressions = new Map<string, Ast | Error>()
  for (const { source, body: { provider, terraform, ...body } } of files) {
    void provider
    void terraform
    for (const expression of expressionsIn(body)) {
      if (expressions.has(expression)) continue
      try {
        if (tooDeep(expression)) throw new Error('is nested too deep')
        expressions.set(expression, await parser.getExpressionAst(source.file, expression) as Ast)
      } catch (error) {
        expressions.set(expression, error as Error)
      }
    }
  }
  return expressions
}

class Configuration {
  readonly #modules: ReadonlyMap<string, ModuleFiles>
  readonly #variables: Json
  readonly #tell: (fault: Fault) => void
  readonly #effort = new Effort()
  readonly #told = new Set<string>()

  constructor(modules: ReadonlyMap<string, ModuleFiles>, variables: Json, tell: (fault: Fault) => void) {
    this.#modules = modules
    this.#variables = variables
    this.#tell = tell
  }

  instances(): readonly Instance[] {
    const variable = (name: string): unknown => Object.hasOwn(this.#variables, name) ? this.#variables[name] : undefined
    return this.#roots().flatMap((files) => [...new Module(files, '', variable, this.#variables, this.#call, this.#effort)
      .instances((file, resource, where, message) => { this.#tell({ severity: 'error', file, resource, path: where, message }) })])
  }

  /** The directories that no other calls; in a circle of them it is the first. */
  #roots(): readonly ModuleFiles[] {
    const all = [...this.#modules.values()]
    const called = new Set(all.flatMap((files) => [...files.modules.values()].map((block) => this.#target(files, block))
      .filter((target) => target !== path.normalize(files.directory))))
    const roots = [...this.#modules].filter(([directory]) => !called.has(directory)).map(([, files]) => files)
    return roots.length > 0 ? roots : all.slice(0, 1)
  }

  /** The directory of a module that is called by its path. */
  #target(files: ModuleFiles, { body: { source } }: Block): string | undefined {
    if (typeof source !== 'string' || !/^\.\.?(?:\/|$)/.test(source)) return undefined
    return path.normalize(path.join(files.directory, source)).replace(/(.)\/$/, '$1')
  }

  readonly #call: Call = (caller, block, scope, prefix) => {
    const target = this.#target(caller.files, block)
    const files = target === undefined ? undefined : this.#modules.get(target)
    if (!files) {
      return this.#tellOnce('warning', block.file, prefix,
        'calls a module whose files are not among those read: add them, if it makes resources of App Mesh, or read what terraform show -json says')
    }
    if (caller.within(files)) return this.#tellOnce('error', block.file, prefix, 'calls a module that it stands in itself, so that there is no end to it')
    const argument = (name: string): unknown => Object.hasOwn(block.body, name) ? caller.value(block.body[name], scope) : undefined
    return new Module(files, prefix, argument, this.#variables, this.#call, this.#effort, caller)
  }

  #tellOnce(severity: Fault['severity'], file: string, prefix: string, message: string): undefined {
    const resource = prefix.slice(0, -1)
    if (this.#told.has(resource)) return
    this.#told.add(resource)
    this.#tell({ severity, file, resource, path: 'source', message })
  }
}
