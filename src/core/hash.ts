/** MurmurHash3's 32-bit finaliser: every bit of the input moves every bit of the output. */
const finish = (hash: number): number => {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85EBCA6B)
  hash = Math.imul(hash ^ (hash >>> 13), 0xC2B2AE35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/**
 * A hash of text in 32 bits, the same in every process and release. FNV-1a over UTF-16 code units, then the finaliser of
 * MurmurHash3, since FNV alone hardly moves the upper bits of short text. Another seed gives another, independent hash.
 * No defence against somebody who chooses the texts.
 */
export const hashOf = (text: string, seed = 0): number => {
  let hash = 0x811C9DC5 ^ seed
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return finish(hash)
}

/** One of many further hashes of what a hash was made of: the same for the same number, in 32 bits. */
export const hashAgain = (hash: number, turn: number): number => finish(hash + Math.imul(turn, 0x9E3779B9) | 0)
