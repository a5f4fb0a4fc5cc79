import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../runtime/clock.ts'
import { pause } from '../load.ts'
import { accepts, freePorts, type Program, type Stage } from '../processes/stage.ts'
import type { Situation } from '../situation.ts'
import { objection, type Sidecar } from './sidecar.ts'

/** A proxy beside an application. */
export interface RunningSidecar {
  readonly pid: number
  /** Where the application dials it for the service. */
  readonly origin: string
  /** Milliseconds from its start until it took connections. */
  readonly milliseconds: number
  /** Writes its configuration anew and makes it take it over, as its operator would: checked first. Returns what it says against it, and goes on as before then. */
  push(situation: Situation): Promise<string | undefined>
  /** The same with a configuration that is broken: a backend is called by a name that it has not. */
  pushBroken(): Promise<string | undefined>
  stop(): Promise<void>
}

const patience = 10_000

const untilAccepting = async (port: number, program: Program, { title }: Sidecar): Promise<void> => {
  const began = systemClock.now()
  while (!await accepts(port)) {
    if (program.gone()) throw new Error(`${title} did not start: ${program.said().trim()}`)
    if (systemClock.now() - began > patience) throw new Error(`${title} takes no connections after ${patience / 1_000} s: ${program.said().trim()}`)
    await pause(5)
  }
}

/** The text with a name in it that leads nowhere. */
const broken = (text: string, { slip: [pattern, written], title }: Sidecar): string => {
  const changed = text.replace(pattern, written)
  if (changed === text) throw new Error(`The configuration of ${title} has nothing that could be broken`)
  return changed
}

/** Starts a proxy with the configuration that the definition makes. Throws with what it says where it does not come up. */
export const startSidecar = async (stage: Stage, sidecar: Sidecar, situation: Situation): Promise<RunningSidecar> => {
  const directory = stage.directory()
  const file = join(directory, sidecar.file)
  const [common = 0, own = 0] = await freePorts(2)
  const textOf = ({ definition, host, certificates = {}, endpoints = {} }: Situation): string => sidecar.write(definition, {
    listen: `127.0.0.1:${common}`, ports: { [host]: `127.0.0.1:${own}` }, certificates, endpoints,
  }).text
  const start = async (): Promise<Program> => {
    const program = stage.program(sidecar.name, sidecar.run(file, directory))
    try {
      await untilAccepting(own, program, sidecar)
      return program
    } catch (error) {
      await program.stop()
      throw error
    }
  }
  // What a definition says of headers and keys is nobody else's; the master alone reads it.
  writeFileSync(file, textOf(situation), { mode: 0o600 })
  const began = systemClock.now()
  let program = await start()
  const milliseconds = systemClock.now() - began

  const take = async (text: string): Promise<string | undefined> => {
    const before = readFileSync(file)
    writeFileSync(file, text)
    const against = await objection(sidecar, file, directory)
    if (against !== undefined) {
      writeFileSync(file, before)
      return against
    }
    if (sidecar.reload) program.signal(sidecar.reload)
    else {
      await program.stop()
      program = await start()
    }
    return undefined
  }
  return {
    get pid() { return program.pid },
    origin: `http://127.0.0.1:${own}`,
    milliseconds,
    push: (next) => take(textOf(next)),
    pushBroken: () => take(broken(readFileSync(file, 'utf8'), sidecar)),
    stop: () => program.stop(),
  }
}
