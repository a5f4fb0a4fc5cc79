import { spawnSync } from 'node:child_process'

/**
 * Why tests that need a program are left out; false where it answers to `--version`, or to whatever it tells its version by.
 * With `ENMESH_TOOLS=required` its absence is an error: then nothing is left out in silence.
 */
export const withoutTool = (program: string, remedy: string, path = process.env['PATH'], ask = '--version'): string | false => {
  if (spawnSync(program, [ask], { env: { ...process.env, PATH: path }, stdio: 'ignore' }).status === 0) return false
  const reason = `there is no ${program}: ${remedy}`
  if (process.env['ENMESH_TOOLS'] === 'required') throw new Error(`${reason} (ENMESH_TOOLS=required)`)
  return reason
}
