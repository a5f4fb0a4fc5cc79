import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { open } from 'node:fs/promises'

/** Thrown for what cannot be read as a file: a directory, a pipe, a device, or far more than was to be expected. */
export class UnfitFileError extends Error {
  /** What is wrong, without the path. */
  readonly reason: string

  constructor(path: string, reason: string) {
    super(`'${path}' ${reason}: give the path of a regular file`)
    this.name = 'UnfitFileError'
    this.reason = reason
  }
}

const mebibyte = 1024 * 1024

/** Longest file of certificates, a key or a secret, in bytes; a machine's own authorities are a tenth of it. */
export const longestSecret = 4 * mebibyte

/** Longest file of a configuration, or of a list of endpoints, in bytes. */
export const longestText = 64 * mebibyte

// To open a pipe in the ordinary way takes until somebody writes, and keeps the process alive.
const flags = constants.O_RDONLY | constants.O_NONBLOCK

/** What was read of a file so far. Goes by what is read and not by the size that is told: files of a kernel tell 0. */
class Gathered {
  readonly #path: string
  readonly #limit: number
  #bytes: Buffer
  #length = 0

  constructor(path: string, file: { isFile(): boolean, readonly size: number }, limit: number) {
    if (!file.isFile()) throw new UnfitFileError(path, 'is a directory, a pipe or a device')
    this.#path = path
    this.#limit = limit
    this.#bytes = Buffer.alloc(Math.min(Math.max(file.size, 4_096), limit) + 1)
  }

  /** Where to read on to. */
  get room(): Buffer {
    return this.#bytes.subarray(this.#length)
  }

  /** Takes what was read to `room`; nothing is the end. */
  took(count: number): Buffer | undefined {
    if (count === 0) return this.#bytes.subarray(0, this.#length)
    this.#length += count
    if (this.#length > this.#limit) throw new UnfitFileError(this.#path, `has more than ${this.#limit / mebibyte} MiB`)
    if (this.#length === this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes], Math.min(2 * this.#length, this.#limit + 1))
    return undefined
  }
}

/** The bytes of a regular file. Rejects with an `UnfitFileError` for anything else and for more than `limit` bytes, or with the system's error. */
export const regularFile = async (path: string, limit: number): Promise<Buffer> => {
  const opened = await open(path, flags)
  try {
    const gathered = new Gathered(path, await opened.stat(), limit)
    for (;;) {
      const whole = gathered.took((await opened.read(gathered.room)).bytesRead)
      if (whole) return whole
    }
  } finally {
    await opened.close()
  }
}

/** The same at once, for what has to be there before its caller goes on. */
export const regularFileSync = (path: string, limit: number): Buffer => {
  const opened = openSync(path, flags)
  try {
    const gathered = new Gathered(path, fstatSync(opened), limit)
    for (;;) {
      const whole = gathered.took(readSync(opened, gathered.room))
      if (whole) return whole
    }
  } finally {
    closeSync(opened)
  }
}
