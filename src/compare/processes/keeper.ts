import { spawn } from 'node:child_process'

/** Outlives a comparison that is killed, and ends what knows of no parent. */
export interface Keeper {
  /** Says which programs run now, by their process ids. */
  keep(pids: readonly number[]): void
  /** Lets it go. Resolves when it is gone, and the directory with it. */
  end(): Promise<void>
}

// It reads until whoever started it is gone, whatever the reason. A shell: another Node would be seen in the first figures.
const script = `trap '' INT TERM HUP
while read -r line; do pids=$line; done
if [ -n "$pids" ]; then kill $pids; sleep 1; fi
rm -rf -- "$1"`

/** Starts one that ends programs and removes a directory when this process is gone. Where there is no shell it does nothing. */
export const startKeeper = (directory: string): Keeper => {
  const child = spawn('/bin/sh', ['-c', script, 'keeper', directory], { stdio: ['pipe', 'ignore', 'ignore'] })
  const gone = new Promise<void>((resolve) => { child.once('exit', () => resolve()).once('error', () => resolve()) })
  child.stdin.on('error', () => {})
  return {
    keep: (pids) => { child.stdin.write(`${pids.join(' ')}\n`) },
    end: () => {
      child.stdin.end()
      return gone
    },
  }
}
