import { spawnSync } from 'node:child_process'

/**
 * Why tests that need a program are left out; false where it answers to `--version`, or another question.
 * With `ENMESH_TOOLS=required` its absence is an error: then nothing is left out in silence.
 */
export const withoutTool = (program: string, remedy: string, path = process.env['PATH'], question = '--version'): string | false => {
  if (spawnSync(program, [question], { env: { ...process.env, PATH: path }, stdio: 'ignore' }).status === 0) return false
  const reason = `there is no ${program}: ${remedy}`
  if (process.env['ENMESH_TOOLS'] === 'required') throw new Error(`${reason} (ENMESH_TOOLS=required)`)
  return reason
}
