import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cpuBetween, familyOf, hasProc, heldBy, memoryOf, parentOf, readCpu, type Proc } from '../../src/compare/proc.ts'

const stat = (pid: number, name: string, parent: number, user: number, system: number): string =>
  `${pid} (${name}) S ${parent} 1 1 0 -1 4194560 1 2 3 4 ${user} ${system} 0 0 20 0 1 0 100 1000 50`

const files = (all: Readonly<Record<string, string>>): Proc => ({
  file: (path) => all[path],
  folder: (path) => [...new Set(Object.keys(all).filter((each) => each.startsWith(`${path}/`)).map((each) => each.slice(path.length + 1).split('/', 1)[0]!))],
})

/** Process 7 with a file for each thread, as they were captured. */
const threads = (user: number, system: number, all: Readonly<Record<string, string>>): Proc =>
  files({ '/proc/7/stat': stat(7, 'node', 1, user, system), ...Object.fromEntries(Object.entries(all).map(([thread, text]) => [`/proc/7/task/${thread}/schedstat`, text])) })

const used = (before: Proc, after: Proc): number => Number(cpuBetween(readCpu([7], before), readCpu([7], after)).toFixed(9))

test('CPU is what all threads used, in nanoseconds', () => {
  const before = threads(2, 1, { 7: '30000000 52293 2\n', 8: '5000000 0 1\n' })
  assert.equal(used(before, threads(3, 1, { 7: '31273408 52293 9\n', 8: '5000100 0 2\n', 9: '400 0 1\n' })), 0.001_273_908)
})

test('a thread that ended takes nothing back, and what it used meanwhile is in the figure of its process', () => {
  const before = threads(50, 50, { 7: '700000000 0 1\n', 8: '300000000 0 1\n' })
  assert.equal(used(before, threads(50, 50, { 7: '700001000 0 2\n' })), 0.000_001)
  // Of half a second it is known with a grain of two hundredths.
  assert.equal(used(before, threads(80, 70, { 7: '700001000 0 2\n' })), 0.48)
  // Its number went to another one.
  assert.equal(used(before, threads(50, 50, { 7: '700001000 0 2\n', 8: '2000 0 1\n' })), 0.000_001)
})

test('without the kernel\'s statistics CPU is user and system time in hundredths, whatever the program calls itself', () => {
  for (const text of [undefined, '0 0 0\n']) {
    const at = (user: number, system: number): Proc => files({ '/proc/7/stat': stat(7, 'a) S 1 (b', 3, user, system), ...(text && { '/proc/7/task/7/schedstat': text }) })
    assert.equal(used(at(100, 20), at(150, 25)), 0.55)
    assert.equal(parentOf(7, at(1, 1)), 3)
  }
})

test('a process that is gone has used nothing and has no parent', () => {
  assert.equal(used(threads(9, 9, { 7: '1000 0 1' }), files({})), 0)
  assert.equal(used(files({}), threads(9, 9, { 7: '200000000 0 1' })), 0.2)
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
  const { memory } = heldBy([process.pid])
  assert.ok(cpuBetween(new Map(), readCpu([process.pid])) > 0)
  assert.ok(memory > 5, `${memory} MiB`)
})
