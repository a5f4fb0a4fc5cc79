import { performance } from 'node:perf_hooks'

/** Milliseconds that this thread's event loop has been at work since it began, as opposed to waiting. */
export const busyTime = (): number => performance.eventLoopUtilization().active
