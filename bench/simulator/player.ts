/** A thread that plays what it is told to, one after another, and answers with the figures. */
import { parentPort } from 'node:worker_threads'
import { scenarios } from './scenarios.ts'
import { play, toldWith } from './study.ts'

/** What is to be played, by the names of the tables. */
export interface Part {
  readonly scenario: string
  readonly algorithm: string
  readonly seed: number
}

parentPort!.on('message', async ({ scenario: name, algorithm, seed }: Part) => {
  const scenario = scenarios.find((one) => one.name === name)!
  parentPort!.postMessage(await play(scenario, toldWith(scenario).find((one) => one.name === algorithm)!, seed))
})
