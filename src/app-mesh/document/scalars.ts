import { z } from 'zod'
import { exactlyOne } from '../../matchers/text.ts'
import { didYouMean } from '../../mesh/faults.ts'

/** A word out of a list; another one is answered with the nearest that is in it. */
export const word = <const Words extends readonly [string, ...string[]]>(words: Words) => z.enum(words, {
  error: ({ input }) => {
    if (typeof input !== 'string') return undefined
    const hint = didYouMean(input, words)
    return `is '${input.slice(0, 60)}', which is none of ${words.join(', ')}${hint.startsWith('did') ? `: ${hint}` : ''}`
  },
})

/** An object that has exactly one of its members, as the API has its unions. */
export const union = <Shape extends Readonly<Record<string, z.ZodType>>>(shape: Shape) => {
  const keys = Object.keys(shape)
  const members = Object.fromEntries(Object.entries(shape).map(([key, member]) => [key, member.optional()]))
  return z.strictObject(members as { [Key in keyof Shape]: z.ZodOptional<Shape[Key]> }).superRefine(exactlyOne(...keys))
}

/** Text of a length within bounds. */
export const text = (min: number, max: number) => z.string().min(min).max(max)

const kept = 'is a name that JavaScript keeps for itself: choose another'

/** A text that is a name: what is named becomes a member of an object under it. */
export const named = <Schema extends z.ZodString>(schema: Schema): Schema => schema.refine((name) => name !== '__proto__', { error: kept })

/** Refuses, in a list of pairs, a key that is there twice: what holds for one thing has one value. */
export const eachOnce = (pairs: readonly { readonly key: string }[], context: z.RefinementCtx): void => pairs.forEach(({ key }, index) => {
  if (pairs.findIndex((other) => other.key === key) === index) return
  context.addIssue({ code: 'custom', path: [index, 'key'], message: `'${key.slice(0, 60)}' is there already: only one of the two could hold` })
})

/** A whole number within bounds. */
export const whole = (min: number, max: number = Number.MAX_SAFE_INTEGER) => z.int().min(min).max(max)

/** The texts that name a resource, wherever they stand: formats may have a reference in their place. */
export const names = z.registry<{ readonly resource: true }>()

/** The name of a resource. */
export const resourceName = named(text(1, 255)).register(names, { resource: true })

/** The name that callers dial. */
export const serviceName = named(z.string().min(1)).register(names, { resource: true })

/** A port. */
export const port = whole(1, 65_535)

/** A share in percent. */
export const percentage = whole(0, 100)

/** The place of a file on the machine of a proxy. */
export const filePath = text(1, 255)

/** A length of time. */
export const duration = z.strictObject({
  unit: word(['s', 'ms']).optional().describe('Seconds or milliseconds.'),
  value: whole(0).optional().describe('How many; 0 switches a timeout off.'),
})

/** A length of time as the API has it. */
export type Duration = z.output<typeof duration>

/** What a listener speaks. */
export const protocol = word(['http', 'http2', 'grpc', 'tcp'])

/** What the listener of a virtual gateway speaks. */
export const gatewayProtocol = word(['http', 'http2', 'grpc'])

/** Which addresses of an instance are used. */
export const ipPreference = word(['IPv6_PREFERRED', 'IPv4_PREFERRED', 'IPv4_ONLY', 'IPv6_ONLY'])

/** Which addresses of an instance are used. */
export type IpPreference = z.output<typeof ipPreference>

/** A switch that is on by default. */
export const enabled = word(['ENABLED', 'DISABLED'])

/** The account that a shared mesh belongs to. */
const account = z.string().regex(/^\d{12}$/, { error: 'is not an AWS account: write its 12 digits as text' })

/** What every resource may carry beside its name and its spec. */
export const common = {
  meshName: resourceName.describe('The mesh that the resource belongs to.'),
  meshOwner: account.optional().describe('The account of a mesh that is shared with this one.'),
  tags: z.array(z.strictObject({
    key: text(1, 128).describe('The name of the tag.'),
    value: z.string().max(256).optional().describe('Its value.'),
  })).max(50).optional().describe('Labels for people; they have no effect.'),
}
