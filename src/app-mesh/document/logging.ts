import { z } from 'zod'
import { eachOnce, filePath, named, text, union } from './scalars.ts'

const format = union({
  text: text(1, 1_000).describe("A line with Envoy's operators."),
  json: z.array(z.strictObject({
    key: named(text(1, 100)).describe('The name of the member.'),
    value: text(1, 100).describe("Its value, with Envoy's operators."),
  })).superRefine(eachOnce).describe('The members of an object.'),
})

/** Where requests are written down. */
export const accessLogging = z.strictObject({
  accessLog: union({
    file: z.strictObject({
      path: filePath.describe('The file.'),
      format: format.optional().describe("How a request is written; in Envoy's own way by default."),
    }),
  }).optional().describe('One line for each request.'),
})

/** Where requests are written down. */
export type AccessLogging = z.output<typeof accessLogging>
