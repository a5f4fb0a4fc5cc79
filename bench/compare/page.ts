import type { Results } from '../../src/compare/results.ts'
import { caseTable, circumstances, faultTable, glance, missing, startTable } from '../../src/compare/summary.ts'
import { markdown } from '../../src/compare/table.ts'

/** What `docs/comparison.md` says of a run. */
export const comparisonSection = (results: Results): string => [
  `${circumstances(results)}.`,
  ...missing(results),
  ...glance(results).flatMap(([title, table]) => [`### ${title}`, markdown(table)]),
  'Median (min–max) of the rounds; `*` marks what nothing beats outside of the spread.',
  ...results.cases.filter(({ measured }) => measured.length > 0).flatMap((each) => [`### ${each.title}`, ...each.cores === undefined ? [] : [each.cores], markdown(caseTable(results, each))]),
  '### Start, and memory at rest', markdown(startTable(results)),
  '## When things break',
  ...results.faults.flatMap((each) => [`### ${each.title}`, each.what, markdown(faultTable(results, each))]),
].join('\n\n')
