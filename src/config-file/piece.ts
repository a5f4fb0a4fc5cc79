import { MeshConfigError } from '../core/errors.ts'
import type { Place } from '../mesh/sources.ts'

/** One value of a file with the place where it begins: an offset into the text. */
export type Piece =
  | { readonly kind: 'object', readonly at: number, readonly entries: readonly Entry[] }
  | { readonly kind: 'list', readonly at: number, readonly items: readonly Piece[] }
  | { readonly kind: 'plain', readonly at: number, readonly value: unknown }

/** A name in an object, where it is written, and what it names. */
export interface Entry {
  readonly name: string
  readonly at: number
  readonly value: Piece
}

/** Deeper than any configuration, and far from what the stack holds. */
export const deepest = 64

/** Thrown where a file breaks the rules of its format; never tells what the file holds. */
export class Unreadable extends Error {
  readonly at: number

  constructor(message: string, at: number) {
    super(message)
    this.at = at
  }
}

/** Refuses a name that an object has already. */
export const refuseTwins = (entries: readonly Entry[]): readonly Entry[] => {
  const names = new Set<string>()
  for (const { name, at } of entries) {
    if (names.has(name)) throw new Unreadable('this name is written twice in one object: only one of the two could count', at)
    names.add(name)
  }
  return entries
}

/** The value of a piece, without its places. */
export const plainOf = (piece: Piece): unknown => {
  if (piece.kind === 'list') return piece.items.map(plainOf)
  if (piece.kind === 'object') return Object.fromEntries(piece.entries.map(({ name, value }) => [name, plainOf(value)]))
  return piece.value
}

/** Turns offsets of a text into places of its file. */
export const placesOf = (file: string, text: string): ((at: number) => Required<Place>) => {
  const starts = [0]
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', end + 1)) starts.push(end + 1)
  return (at) => {
    let line = 1
    // Halves what is left of the lines each time: a file is asked for the place of every value in it.
    for (let last = starts.length; line < last;) {
      const middle = Math.ceil((line + last) / 2)
      if (starts[middle - 1]! > at) last = middle - 1
      else line = middle
    }
    return { file, line, column: at - starts[line - 1]! + 1 }
  }
}

/** The error of a file that cannot be used as a whole. */
export const unusable = (message: string, place: Place, cause?: unknown): MeshConfigError =>
  new MeshConfigError([{ path: '', message, ...place }], cause)
