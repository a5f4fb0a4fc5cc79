import type { Pace } from '../cases.ts'

const asleep = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))

/** Has this process look at its sockets at a pace that can be changed; eager at first. */
export const keepPace = (): { is(pace: Pace): void } => {
  let pace: Pace = 'eager'
  const turn = (): void => {
    if (pace === 'eager') return
    if (pace === 'paced') Atomics.wait(asleep, 0, 0, 1)
    setImmediate(turn)
  }
  return {
    is: (wanted) => {
      const idle = pace === 'eager'
      pace = wanted
      if (idle) turn()
    },
  }
}
