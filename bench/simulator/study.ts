import { algorithms, check, type Algorithm } from './algorithms.ts'
import type { Figures } from './measure.ts'
import type { Scenario } from './scenarios.ts'
import { World } from './world.ts'

/** What a scenario came to, as it is kept in a file. */
export interface Result {
  readonly name: string
  readonly text: string
  readonly phases: readonly string[]
  /** By algorithm, for each phase. */
  readonly rows: Readonly<Record<string, readonly Figures[]>>
}

/** All that is kept of a run. It says nothing of when and where: the same seed makes the same file. */
export interface Study {
  readonly seed: number
  readonly results: readonly Result[]
}

/** Runs a scenario with one algorithm from a seed. */
export const play = async (scenario: Scenario, algorithm: Algorithm, seed: number): Promise<readonly Figures[]> => {
  check(algorithm)
  const world = new World(algorithm, scenario.policies ?? {}, seed)
  const { rate, watched } = await scenario.prepare(world)
  const figures = await world.run(rate, scenario.phases, watched)
  await world.close()
  return figures.map(rounded)
}

const rounded = (figures: Figures): Figures =>
  Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, Math.round(value as number * 1_000) / 1_000])) as unknown as Figures

/** Runs a scenario with each of its algorithms, or with those of these names. */
export const study = async (scenario: Scenario, seed: number, only?: readonly string[]): Promise<Result> => {
  const rows: Record<string, readonly Figures[]> = {}
  for (const algorithm of [...algorithms, ...scenario.also ?? []]) {
    if (scenario.without?.includes(algorithm.name) || (only && !only.includes(algorithm.name))) continue
    rows[algorithm.name] = await play(scenario, algorithm, seed)
  }
  return { name: scenario.name, text: scenario.text, phases: scenario.phases.map(({ name }) => name), rows }
}
