import { styleText } from 'node:util'

const tty = process.stdout.isTTY
// `styleText` respects NO_COLOR and FORCE_COLOR; colours are for people, not for files.
const style = (format: Parameters<typeof styleText>[0], text: string): string => tty ? styleText(format, text) : text

export const bold = (text: string): string => style('bold', text)
export const dim = (text: string): string => style('dim', text)
export const green = (text: string): string => style('green', text)
export const red = (text: string): string => style('red', text)
export const yellow = (text: string): string => style('yellow', text)

/** Prints a line. */
export const print = (line = ''): void => {
  process.stdout.write(`${tty ? '\r\x1b[2K' : ''}${line}\n`)
}

/** Shows, on a terminal only, a line that the next one overwrites. */
export const status = (line: string): void => {
  if (tty) process.stdout.write(`\r\x1b[2K${dim(line.slice(0, (process.stdout.columns ?? 80) - 1))}`)
}

/** A bar of twenty cells. */
export const bar = (percent: number): string => '█'.repeat(Math.round(percent / 5)).padEnd(20, '░')
