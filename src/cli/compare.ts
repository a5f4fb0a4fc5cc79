import { arrangements as everywhere } from '../compare/arrangements.ts'
import { compareOwn, NotComparable, type OwnLoad } from '../compare/own-services.ts'
import { progressOf } from '../compare/progress.ts'
import { whyUnwritable, writeReport } from '../compare/report/report.ts'
import type { Arrangement } from '../compare/arrangement.ts'
import type { Results } from '../compare/results.ts'
import { summary } from '../compare/summary.ts'
import { didYouMean } from '../mesh/faults.ts'
import { seededRandom } from '../testing/random.ts'
import { readReady, refuseIdle, type DefinitionOptions } from './definitions.ts'
import { exit, failed, shownBy, UsageError, type Result } from './result.ts'
import type { World } from './world.ts'

/** What a comparison at the user's own services is told beside the definition, by the names of the command's options. */
export interface CompareOptions extends OwnLoad {
  readonly url?: readonly URL[]
  readonly only?: readonly string[]
  readonly seed: number
  readonly out: string
}

/** What the project's own comparison has and this one hasn't: said, so that nobody looks for it. */
const byHand: Arrangement = {
  id: 'by-hand', title: 'by hand', kind: 'by-hand', client: 'fetch', way: '', addresses: 'all',
  how: 'opossum, a retry library and a keep-alive agent, put together.',
  lacks: "its retry library does not come with this package: see the project's own comparison",
}
const arrangements = [...everywhere, byHand]

const chosen = (only: readonly string[] | undefined): readonly Arrangement[] => {
  const ids = arrangements.map(({ id }) => id)
  const unknown = only?.find((id) => !ids.includes(id))
  if (unknown !== undefined) throw new UsageError(`there is no arrangement '${unknown}': ${didYouMean(unknown, ids)}`)
  return only ? arrangements.filter(({ id }) => only.includes(id)) : arrangements
}

const refuse = (urls: readonly URL[]): void => {
  if (urls.length === 0) throw new UsageError('no URL is given: write what is to be called, as in --url http://pricing.shop.local/price/42')
  const hidden = urls.find(({ username, password }) => username !== '' || password !== '')
  if (hidden) throw new UsageError(`a URL carries no user and no password, and that of ${hidden.host} does`)
}

const refuseUnwritable = async (out: string): Promise<void> => {
  const why = await whyUnwritable(out)
  if (why !== undefined) throw new UsageError(`no report can be written to ${out} (${why}): name another directory after --out`)
}

/** Results without the values of variables: proxies quote their configuration when they complain of it, and reports are passed on. */
const withoutValues = (results: Results, withheld: Result['withheld']): Results => {
  const shown = shownBy(withheld)
  return JSON.parse(JSON.stringify(results, (_, value: unknown) => typeof value === 'string' ? shown(value) : value)) as Results
}

/** Requests of one arrangement at one URL in one round, at most: those that count, a fifth more to warm up, the first answer and a few that settle. */
const mostOf = ({ requests, inFlight }: CompareOptions): number => requests + Math.max(inFlight, Math.round(requests / 5)) + inFlight + 1

/** Compares a mesh in the process with proxies and with plain clients at services that run already. */
export const compareServices = async (paths: readonly string[], ofDefinition: DefinitionOptions, options: CompareOptions, world: World): Promise<Result> => {
  const { url: urls = [], only, inFlight, rounds, requests, seconds, seed, out } = options
  refuse(urls)
  const asked = chosen(only)
  const { definition, config, faults, withheld } = await readReady(paths, ofDefinition, world)
  if (!config) return failed(faults, withheld)
  refuseIdle([definition], ofDefinition)
  await refuseUnwritable(out)
  const progress = progressOf(world.stderr)
  const most = urls.length * (asked.length * rounds * mostOf(options) + 1)
  world.stderr.write(`GET only, ${inFlight} in flight: at most ${most} requests altogether, within ${Math.round(asked.length * rounds * urls.length * seconds * 2)} s\n`)
  try {
    const results = withoutValues(await compareOwn({
      command: `enmesh compare ${urls.map(({ origin, pathname }) => `--url ${origin}${pathname}`).join(' ')}`,
      definition: config, urls, arrangements: asked, load: { inFlight, rounds, requests, seconds }, seed, random: seededRandom(seed), progress: progress.say,
    }), withheld)
    progress.end()
    await writeReport(results, out).catch(({ code, message }: NodeJS.ErrnoException) => {
      throw new UsageError(`the report cannot be written to ${out}: ${code ?? message}`)
    })
    return {
      code: exit.well, faults, warnings: 'counted', withheld,
      text: () => `${summary(results)}\n\nThe report is ${out}/index.html, the raw results ${out}/results.json.`,
      data: { results },
    }
  } catch (error) {
    if (error instanceof NotComparable) throw new UsageError(error.message)
    throw error
  }
}
