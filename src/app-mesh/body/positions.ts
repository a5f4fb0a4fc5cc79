import { placesOf } from '../../config-file/piece.ts'
import type { Position, Source } from '../found.ts'

/** Where a value stands, by its place in the file's own words; for a value that is not there, what stands around it. */
export type Positions = (where: string) => Position | undefined

/** Turns offsets of a source into lines and columns. */
export const positionIn = ({ file, text }: Source): ((at: number) => Position) => {
  const placeAt = placesOf(file, text)
  return (at) => {
    const { line, column } = placeAt(at)
    return { line, column }
  }
}

const around = (where: string): string => where.replace(/(?:\.[^.]*|\[[^\]]*\]|^[^.[]+)$/, '')

/** Positions by what is known of a document: the offset of each of its values, its own under no name. */
export const positionsOf = (offsets: ReadonlyMap<string, number>, positionAt: (at: number) => Position): Positions => (where) => {
  for (let place = where; ;) {
    const at = offsets.get(place)
    if (at !== undefined) return positionAt(at)
    const outer = around(place)
    if (outer === place) return undefined
    place = outer
  }
}
