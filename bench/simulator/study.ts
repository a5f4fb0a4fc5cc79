import { algorithms, check, type Algorithm } from './algorithms.ts'
import type { Figures } from './measure.ts'
import type { Scenario } from './scenarios.ts'
import { World } from './world.ts'

/** What a scenario came to, as it is kept in a file. */
export interface Result {
  readonly name: string
  readonly text: string
  readonly phases: readonly string[]
  /** By algorithm, for each phase, from each seed. */
  readonly rows: Readonly<Record<string, readonly (readonly Figures[])[]>>
}

/** All that is kept of a run. It says nothing of when and where: the same seeds make the same file. */
export interface Study {
  readonly seeds: readonly number[]
  readonly results: readonly Result[]
}

/** Runs a scenario with one algorithm from a seed: the figures of each phase. */
export type Play = (scenario: Scenario, algorithm: Algorithm, seed: number) => Promise<readonly Figures[]>

/** Runs it here and now. */
export const play: Play = async (scenario, algorithm, seed) => {
  check(algorithm)
  const world = new World(algorithm, scenario.policies ?? {}, seed)
  const { rate, watched } = await scenario.prepare(world)
  const figures = await world.run(rate, scenario.phases, watched)
  await world.close()
  return figures.map(rounded)
}

const rounded = (figures: Figures): Figures =>
  Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, Math.round(value as number * 1_000) / 1_000])) as unknown as Figures

/** What a scenario is told with. */
export const toldWith = (scenario: Scenario): readonly Algorithm[] => scenario.algorithms ?? algorithms

/** Runs a scenario from each seed with each of its algorithms, or with those of these names; all at once, as far as `play` lets them. */
export const study = async (scenario: Scenario, seeds: readonly number[], play: Play, only?: readonly string[]): Promise<Result> => {
  const told = toldWith(scenario).filter(({ name }) => !only || only.includes(name))
  const rows = await Promise.all(told.map(async (algorithm) => {
    const runs = await Promise.all(seeds.slice(0, scenario.seeds).map((seed) => play(scenario, algorithm, seed)))
    return [algorithm.name, scenario.phases.map((_, phase) => runs.map((run) => run[phase]!))] as const
  }))
  return { name: scenario.name, text: scenario.text, phases: scenario.phases.map(({ name }) => name), rows: Object.fromEntries(rows) }
}
