import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import ts from 'typescript'

/** The top of the repository. */
export const root = resolve(import.meta.dirname, '../..')

/** The pages whose samples are checked, from the top of the repository. */
export const pages: readonly string[] = ['README.md', ...readdirSync(join(root, 'docs/guides')).filter((name) => name.endsWith('.md')).sort()
  .map((name) => `docs/guides/${name}`)]

/** The text of a page. */
export const pageText = (page: string): string => readFileSync(join(root, page), 'utf8')

/** A piece of TypeScript in a page. */
export interface Sample {
  /** Page and line of its fence: `docs/guides/errors.md:12`. */
  readonly place: string
  /** What is compiled: the page's prologue, if it has one, and the sample itself. */
  readonly code: string
  /** False where the fence says `ts no-run`: it needs a world that a test hasn't got. */
  readonly runs: boolean
  /** What it must print, where a `text` fence follows it. */
  readonly output: string | undefined
}

const fence = /^```(\w+)([^\n]*)\n([\s\S]*?)^```$/gm

/**
 * The samples of a page. A `ts prologue` fence stands for what every later sample of the page begins with;
 * a `text` fence with nothing but blank lines between it and a sample is what the sample prints.
 */
export const samplesOf = (page: string, source = pageText(page)): readonly Sample[] => {
  const samples: Sample[] = []
  let prologue = ''
  let endOfLast = -1
  for (const { 0: whole, 1: language, 2: marks = '', 3: code = '', index } of source.matchAll(fence)) {
    if (language === 'ts' && marks.trim() === 'prologue') {
      prologue += code
    } else if (language === 'ts') {
      const line = source.slice(0, index).split('\n').length
      samples.push({ place: `${page}:${line}`, code: prologue + code, runs: marks.trim() !== 'no-run', output: undefined })
      endOfLast = index + whole.length
      continue
    } else if (language === 'text' && endOfLast >= 0 && source.slice(endOfLast, index).trim() === '') {
      samples.push({ ...samples.pop()!, output: code })
    }
    endOfLast = -1
  }
  return samples
}

const options = (): ts.CompilerOptions => {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as { config: { compilerOptions: object } }
  const { options, errors } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root)
  if (errors.length > 0) throw new Error(errors.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')).join('\n'))
  return {
    ...options,
    // What a reader's strict project has; unused names are no fault in a sample.
    noUnusedLocals: false,
    noUnusedParameters: false,
    moduleDetection: ts.ModuleDetectionKind.Force,
    paths: {
      'enmesh': [join(root, 'src/index.ts')],
      'enmesh/app-mesh': [join(root, 'src/app-mesh/index.ts')],
      'enmesh/register': [join(root, 'src/register/index.ts')],
      'enmesh/server': [join(root, 'src/server/index.ts')],
      'enmesh/testing': [join(root, 'src/testing/index.ts')],
    },
  }
}

/** What the compiler says of each sample, by its place; a sample without faults is absent. Each is a module that lies beside its page. */
export const typeFaults = (samples: readonly Sample[]): ReadonlyMap<string, string> => {
  const files = new Map(samples.map((sample) => [join(root, `${sample.place.replace(':', '.')}.ts`), sample]))
  const compilerOptions = options()
  const disk = ts.createCompilerHost(compilerOptions)
  const host: ts.CompilerHost = {
    ...disk,
    fileExists: (path) => files.has(path) || disk.fileExists(path),
    readFile: (path) => files.get(path)?.code ?? disk.readFile(path),
    getSourceFile: (path, language, ...rest) => {
      const sample = files.get(path)
      return sample ? ts.createSourceFile(path, sample.code, language, true) : disk.getSourceFile(path, language, ...rest)
    },
  }
  const program = ts.createProgram([...files.keys()], compilerOptions, host)
  return new Map([...files].flatMap(([path, { place }]) => {
    const file = program.getSourceFile(path)
    const faults = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]
    return faults.length === 0 ? [] : [[place, ts.formatDiagnostics(faults, {
      getCurrentDirectory: () => root, getCanonicalFileName: (name) => name, getNewLine: () => '\n',
    })] as const]
  }))
}

/** How a sample that was run came out. */
export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const longestRun = 20_000

// Shared by all runs: without it each one compiles the library anew, which is most of its time.
const compileCache = mkdtempSync(join(tmpdir(), 'enmesh-samples-'))
process.once('exit', () => rmSync(compileCache, { recursive: true, force: true }))

/** Runs a sample in a process of its own, at the top of the repository, on the library's sources. */
export const run = async (sample: Sample): Promise<Outcome> => {
  // A sample may be a test itself; it must not report to the runner of this one.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const child = spawn(process.execPath, [
    '--conditions=enmesh:source', '--disable-warning=ExperimentalWarning', '--input-type=module-typescript', '--eval', sample.code,
  ], { cwd: root, env: { ...env, NODE_COMPILE_CACHE: compileCache }, stdio: ['ignore', 'pipe', 'pipe'], timeout: longestRun })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', resolve)
  })
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  return { code, stdout, stderr }
}

/** Packages that samples of a page import, beside enmesh and what npm installs with it. */
export const importedPackages = (page: string): readonly string[] => {
  const names = samplesOf(page).flatMap(({ code }) => [...code.matchAll(/^import .*from '((?:@[^/']+\/)?[^/']+)/gm)].map(([, name]) => name!))
  return [...new Set(names)].filter((name) => !name.startsWith('node:') && name !== 'enmesh' && name !== '@opentelemetry/api')
}

/** Packages that a page tells to install before its first sample, without their versions. */
export const installedPackages = (page: string): readonly string[] => {
  const [top = ''] = pageText(page).split(/^```ts/m)
  return [...top.matchAll(/npm install ([^`\n]*)/g)].flatMap(([, names]) => names!.split(' ')).map((name) => name.replace(/(?<=.)@.*/, ''))
}

/** Pages that are in the package, from the top of the repository. Without the README: it is packed too, but read in the repository. */
export const packedPages = (): readonly string[] => packedPaths().filter((path) => path !== 'dist')
  .flatMap((path) => path.endsWith('.md') ? [path] : readdirSync(join(root, path)).map((name) => `${path}/${name}`))

/** Whether a path of the repository is in the package. */
export const isPacked = (path: string): boolean =>
  [...packedPaths(), 'README.md', 'LICENSE', 'package.json'].some((packed) => path === packed || path.startsWith(`${packed}/`))

const packedPaths = (): readonly string[] => (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { files: readonly string[] }).files

/** Links of a page to other files, as paths from the top of the repository. */
export const localLinks = (page: string): readonly string[] =>
  [...pageText(page).matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)].map(([, target]) => relative(root, join(root, dirname(page), target!)))
