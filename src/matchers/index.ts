import { headers } from './header.ts'
import { host } from './host.ts'
import { matcherTable } from './matcher.ts'
import { method } from './method.ts'
import { path } from './path.ts'
import { port } from './port.ts'
import { query } from './query.ts'
import { scheme } from './scheme.ts'

/** The conditions that a route's `match` knows, asked in this order: the cheap before the costly. */
export const matchers = matcherTable(path, method, scheme, port, host, headers, query)
