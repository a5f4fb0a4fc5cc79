import { styleText } from 'node:util'
import type { Environment } from '../config-file/substitute.ts'

/** A stream to write to. */
export interface Sink {
  write(text: string): unknown
  readonly isTTY?: boolean
}

/** What the command line stands in: its streams and its environment. */
export interface World {
  readonly stdout: Sink
  readonly stderr: Sink
  readonly env: Environment
  /** All that comes in at stdin. */
  readonly stdin: () => Promise<string>
}

/** Colours a text, or leaves it as it is. */
export type Paint = (format: 'bold' | 'dim' | 'green' | 'red' | 'yellow', text: string) => string

/** Colours are for people: on a terminal only, and never against `NO_COLOR` (https://no-color.org). */
export const paintFor = ({ isTTY = false }: Sink, env: Environment): Paint =>
  isTTY && !env['NO_COLOR'] && env['TERM'] !== 'dumb' ? (format, text) => styleText(format, text, { validateStream: false }) : (_, text) => text
const controls = /\u001b\[\d+m|[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/** A text without what would move a terminal's cursor, or worse: names in files are written by anybody. */
export const harmless = (text: string): string => text.replace(controls, (found) => found.length > 1 ? found : '\uFFFD')
