import { spawn } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pageText, root } from './samples.ts'

/** A command in a page, and what it prints there. A line `…` stands for lines that the page leaves out. */
export interface Command {
  /** Page and line: `docs/guides/command-line.md:12`. */
  readonly place: string
  readonly command: string
  readonly output: string
}

const fence = /^```console\n([\s\S]*?)^```$/gm

/** The commands of a page's `console` fences: each line that begins with `$ `, and what follows it. */
export const commandsOf = (page: string, source = pageText(page)): readonly Command[] =>
  [...source.matchAll(fence)].flatMap(({ 1: body = '', index }) => {
    const first = source.slice(0, index).split('\n').length + 1
    const lines = body.split('\n').slice(0, -1)
    const starts = lines.flatMap((line, at) => line.startsWith('$ ') ? [at] : [])
    return starts.map((at, nth) => ({
      place: `${page}:${first + at}`,
      command: lines[at]!.slice(2),
      output: lines.slice(at + 1, starts[nth + 1] ?? lines.length).map((line) => `${line}\n`).join(''),
    }))
  })

/** What an output must look like. */
export const patternOf = (output: string): RegExp => new RegExp(`^${output.split(/^…\n/m)
  .map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('(?:.*\\n)*?')}$`)

/** A folder with what the pages speak of: the shop's state as `mesh.json`, its definition as `shop.tf`, and `enmesh` as if it were installed. */
export class Shell {
  readonly #folder = mkdtempSync(join(tmpdir(), 'enmesh-console-'))
  readonly #bin = join(this.#folder, '.bin')

  constructor() {
    copyFileSync(join(root, 'examples/app-mesh/state/shop.json'), join(this.#folder, 'mesh.json'))
    copyFileSync(join(root, 'examples/app-mesh/terraform/shop.tf'), join(this.#folder, 'shop.tf'))
    mkdirSync(this.#bin)
    const npx = join(this.#bin, 'npx')
    writeFileSync(npx, `#!/bin/sh\nshift\nexec '${process.execPath}' '${join(root, 'src/cli/main.ts')}' "$@"\n`)
    chmodSync(npx, 0o755)
  }

  /** What a command prints, on both streams. */
  async run(command: string): Promise<string> {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    const child = spawn('/bin/sh', ['-c', `exec 2>&1\n${command}`], {
      cwd: this.#folder, env: { ...env, PATH: [this.#bin, env['PATH']].join(delimiter) }, stdio: ['ignore', 'pipe', 'inherit'],
    })
    return text(child.stdout)
  }

  close(): void {
    rmSync(this.#folder, { recursive: true })
  }
}
