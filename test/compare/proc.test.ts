import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cpuOf, familyOf, hasProc, memoryOf, parentOf, usageOf, type ReadProc } from '../../src/compare/proc.ts'

const stat = (pid: number, name: string, parent: number, user: number, system: number): string =>
  `${pid} (${name}) S ${parent} 1 1 0 -1 4194560 1 2 3 4 ${user} ${system} 0 0 20 0 1 0 100 1000 50`

const files = (all: Readonly<Record<string, string>>): ReadProc => (path) => all[path]

test('CPU is user and system time in hundredths, whatever the program calls itself', () => {
  const read = files({ '/proc/7/stat': stat(7, 'a) S 1 (b', 3, 150, 25) })
  assert.equal(cpuOf(7, read), 1.75)
  assert.equal(parentOf(7, read), 3)
})

test('a process that is gone has used nothing and has no parent', () => {
  assert.equal(cpuOf(7, files({})), 0)
  assert.equal(memoryOf(7, files({})), 0)
  assert.equal(parentOf(7, files({})), undefined)
})

test('memory is the proportional set, and the resident one where the system tells no other', () => {
  const status = 'Name:\tx\nVmRSS:\t    4096 kB\n'
  assert.equal(memoryOf(7, files({ '/proc/7/smaps_rollup': 'Rss:   9000 kB\nPss:   2048 kB\nPss_Dirty:  10 kB\n', '/proc/7/status': status })), 2)
  assert.equal(memoryOf(7, files({ '/proc/7/status': status })), 4)
})

test('a family is what a process started, and what those started', () => {
  const read = files(Object.fromEntries([[1, 0], [10, 1], [11, 10], [12, 11], [20, 1]].map(([pid, parent]) => [`/proc/${pid}/stat`, stat(pid!, 'x', parent!, 0, 0)])))
  assert.deepEqual(familyOf([10], [12, 20, 11, 10, 1], read), [10, 11, 12])
})

test('this very process has used something', { skip: hasProc() ? false : 'this system has no /proc' }, () => {
  const { cpu, memory } = usageOf([process.pid])
  assert.ok(cpu > 0)
  assert.ok(memory > 5, `${memory} MiB`)
})
