import { z } from 'zod'
import { defaultFormat, formatFault } from './format.ts'

const format = z.string().superRefine((format, context) => {
  const fault = formatFault(format)
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault })
})

/** Where and how calls are written down, one line each. */
export const accessLogConfig = z.strictObject({
  path: z.string().min(1).describe(
    'The file to append to, made if it is not there; /dev/stdout and /dev/stderr are the streams of the process. ' +
    'It is opened anew for each write, so it may be renamed at any time.',
  ),
  format: format.min(1).optional()
    .describe("A line, with Envoy's operators such as %RESPONSE_CODE% or %REQ(user-agent):50%; Envoy's own line by default."),
  json: z.record(z.string().min(1), format).refine((members) => Object.keys(members).length > 0, 'has no members').optional()
    .describe("The members of a JSON object in the place of `format`, each with Envoy's operators; an operator alone keeps its type."),
}).superRefine(({ format, json }, context) => {
  if (format === undefined || json === undefined) return
  context.addIssue({ code: 'custom', path: ['json'], message: 'stands beside `format`: write one of the two' })
}).transform(({ path, format, json }) => ({ path, ...(json ? { json } : { format: format ?? defaultFormat }) }))

/** Parsed form of `accessLogConfig`: the one of `format` and `json` that holds. */
export type AccessLogConfig = z.output<typeof accessLogConfig>
