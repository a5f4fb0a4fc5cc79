import path from 'node:path'
import type { Fault, Source } from '../../found.ts'
import type { Ast } from './expression.ts'
import { Module, type Block, type Call, type Instance, type ModuleFiles } from './module.ts'
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
  const values = Object.fromEntries(parsed.filter(({ source }) => isValues(source)).flatMap(({ body }) => Object.entries(body)))
  const configurations = parsed.filter(({ source }) => isConfiguration(source))
  const modules = new Map<string, ModuleFiles>()
  for (const directory of new Set(configurations.map(({ source }) => path.dirname(source.file)))) {
    const files = configurations.filter(({ source }) => path.dirname(source.file) === directory)
    modules.set(path.normalize(directory), await moduleFiles(directory, files, parser))
  }
  return new Configuration(modules, { ...values, ...variables }, tell).instances()
}

const parseAll = async (
  sources: readonly Source[], parser: HclParser, tell: (fault: Fault) => void,
): Promise<readonly Parsed[]> => {
  const parsed: Parsed[] = []
  for (const source of sources) {
    try {
      if (tooDeep(source.text)) throw new Error(`it is nested more than ${deepestNesting} levels deep`)
      const body = source.file.endsWith('.json') ? JSON.parse(source.text) as unknown : await parser.parse(source.file, source.text)
      if (!isObject(body)) throw new Error('it is no object')
      parsed.push({ source, body })
    } catch (error) {
      tell({ severity: 'error', file: source.file, message: `is not written in Terraform's language: ${saidBy(error)}` })
    }
  }
  return parsed
}

const moduleFiles = async (directory: string, files: readonly Parsed[], parser: HclParser): Promise<ModuleFiles> => {
  const all = (kind: string): ReadonlyMap<string, Block> => new Map(files.flatMap(({ source, body }) => labelled(body[kind], source.file)))
  const typed = (kind: string): ReadonlyMap<string, Block> => new Map(files.flatMap(({ source, body }) =>
    labels(body[kind]).flatMap(([type, blocks]) => labelled(blocks, source.file).map(([name, block]) => [`${type}.${name}`, block] as const))))
  const locals = new Map(files.flatMap(({ source, body }) => labels(body.locals).map(([name, value]) => [name, { file: source.file, value }] as const)))
  return {
    directory, locals, resources: typed('resource'), data: typed('data'), variables: all('variable'), outputs: all('output'), modules: all('module'),
    expressions: await parsedExpressions(files, parser),
  }
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

/** What stands under each label. In JSON it may be one object, or a list of them. */
const labels = (blocks: unknown): readonly (readonly [string, unknown])[] => [blocks].flat().filter(isObject).flatMap((block) => Object.entries(block))

/** Blocks by their last label. */
const labelled = (blocks: unknown, file: string): readonly (readonly [string, Block])[] =>
  labels(blocks).map(([name, body]) => [name, { file, body: [body].flat().find(isObject) ?? {} }])

/** Deeper than any configuration. Where its stack ends, the parser does not answer any more, to nobody in the process. */
const deepestNesting = 100

/** Whether brackets are nested too deep; those in texts count too, where they are in pairs. */
const tooDeep = (text: string): boolean => {
  let depth = 0
  for (const [bracket] of text.matchAll(/[([{}\])]/g)) {
    depth = '([{'.includes(bracket) ? depth + 1 : Math.max(0, depth - 1)
    if (depth > deepestNesting) return true
  }
  return false
}

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

/** Deeper than modules call one another, unless in a circle. */
const deepest = 16

class Configuration {
  readonly #modules: ReadonlyMap<string, ModuleFiles>
  readonly #variables: Json
  readonly #tell: (fault: Fault) => void
  readonly #unread = new Set<string>()

  constructor(modules: ReadonlyMap<string, ModuleFiles>, variables: Json, tell: (fault: Fault) => void) {
    this.#modules = modules
    this.#variables = variables
    this.#tell = tell
  }

  instances(): readonly Instance[] {
    const called = new Set([...this.#modules.values()].flatMap((files) => [...files.modules.values()].map((block) => this.#target(files, block))))
    const roots = [...this.#modules].filter(([directory]) => !called.has(directory)).map(([, files]) => files)
    const variable = (name: string): unknown => Object.hasOwn(this.#variables, name) ? this.#variables[name] : undefined
    return roots.flatMap((files) => [...new Module(files, '', variable, this.#variables, this.#call)
      .instances((file, resource, where, message) => { this.#tell({ severity: 'error', file, resource, path: where, message }) })])
  }

  /** The directory of a module that is called by its path. */
  #target(files: ModuleFiles, { body: { source } }: Block): string | undefined {
    if (typeof source !== 'string' || !/^\.\.?(?:\/|$)/.test(source)) return undefined
    return path.normalize(path.join(files.directory, source)).replace(/(.)\/$/, '$1')
  }

  readonly #call: Call = (caller, block, scope, prefix) => {
    const target = this.#target(caller.files, block)
    const files = target === undefined ? undefined : this.#modules.get(target)
    if (files && prefix.split('module.').length <= deepest) {
      const argument = (name: string): unknown => Object.hasOwn(block.body, name) ? caller.value(block.body[name], scope) : undefined
      return new Module(files, prefix, argument, this.#variables, this.#call)
    }
    const resource = prefix.slice(0, -1)
    if (!this.#unread.has(resource)) {
      this.#unread.add(resource)
      this.#tell({
        severity: 'warning', file: block.file, resource, path: 'source',
        message: 'calls a module whose files are not among those read: add them, if it makes resources of App Mesh, or read what terraform show -json says',
      })
    }
    return undefined
  }
}
