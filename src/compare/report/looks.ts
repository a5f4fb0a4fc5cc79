import type { ArrangementInfo, ArrangementKind } from '../results.ts'

/** How an arrangement looks in every chart: hue by what is in between, dashes by the client. */
export interface Look {
  readonly arrangement: ArrangementInfo
  /** Class of everything that belongs to it. */
  readonly className: string
  readonly colour: string
  readonly dash: string
}

const colours: Readonly<Record<ArrangementKind, readonly string[]>> = {
  enmesh: ['#0f8b9d'],
  direct: ['#8a94a0', '#55606c'],
  sidecar: ['#d1661f', '#4c8f2f', '#7b52c7'],
  'by-hand': ['#a8326f'],
}

/** Arrangements that differ in the client alone share what is before it in their ids. */
const familyOf = ({ id }: ArrangementInfo): string => id.replace(/-(fetch|request)$/, '')

/** Looks by id of the arrangement, the same for the same list. */
export const looksOf = (arrangements: readonly ArrangementInfo[]): ReadonlyMap<string, Look> => {
  const hueOf = (arrangement: ArrangementInfo): string => {
    const families = new Set(arrangements.filter(({ kind }) => kind === arrangement.kind).map(familyOf))
    const hues = colours[arrangement.kind]
    return hues[[...families].indexOf(familyOf(arrangement)) % hues.length]!
  }
  return new Map(arrangements.map((arrangement, index) => [arrangement.id, {
    arrangement,
    className: `a${index}`,
    colour: hueOf(arrangement),
    dash: arrangement.client === 'fetch' ? '' : '6 4',
  }]))
}
