import { z } from 'zod'
import type { Runtime } from '../runtime/runtime.ts'
import { certificateName } from '../transport/tls/certificate-names.ts'
import { plainPath } from './plain-path.ts'

const rule = z.strictObject({
  path: z.string().refine((path) => path.startsWith('/') && !/[?#%;]/.test(path) && plainPath(path) !== undefined,
    "is not a path: write it like '/orders', without a query, and decoded").default('/')
    .describe('What is called: this path and all below it, in any case. The longest that fits decides.'),
  methods: z.array(z.string().regex(/^[A-Z][A-Z-]*$/, "is not a method: write it in capitals, like 'GET'")).min(1, 'needs at least one method; leave it out for all').optional()
    .describe('Methods that it holds for; all by default. `GET` includes `HEAD`.'),
  callers: z.union([z.enum(['anyone', 'verified']), z.array(certificateName)], { error: "must be 'anyone', 'verified', or a list of names such as ['spiffe://shop/gateway']" })
    .describe("Who may: names of which the caller's certificate carries one exactly, `verified` for everybody with a trusted certificate, `anyone` for strangers too."),
})

/** The options that are data. */
export const authorizeConfig = z.strictObject({
  rules: z.array(rule).describe('Who may call what.'),
  default: z.enum(['deny', 'allow']).describe('What becomes of calls that no rule is for.'),
  mode: z.enum(['enforce', 'audit']).default('enforce').describe('`audit` lets everything through, and tells what would have been denied.'),
})

/** What `authorize` takes: data, and what is none. */
export type AuthorizeOptions = z.input<typeof authorizeConfig> & {
  /** The place to report to; what is left out is the machine's own. */
  readonly runtime?: Partial<Runtime>
}

/** Parsed form of `authorizeConfig`. */
export type AuthorizeConfig = z.output<typeof authorizeConfig>
