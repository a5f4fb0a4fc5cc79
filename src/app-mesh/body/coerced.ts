import type { Shape } from './shape.ts'
import { plain, written, type TracedPlain } from './traced.ts'

const number = /^\s*-?\d+(?:\.\d+)?\s*$/
const flag = /^\s*(?:true|yes|on|(false|no|off))\s*$/i

/**
 * What CloudFormation and Terraform make of a plain value where the API wants another kind; what is no such value stays as it
 * is.
 */
export const coerced = (traced: TracedPlain, shape: Shape): TracedPlain => {
  const text = written(traced)
  if (shape === 'number' && typeof traced.value === 'string' && number.test(text)) return plain(Number(text), traced.where)
  if (shape === 'flag' && typeof traced.value === 'string' && flag.test(text)) return plain(flag.exec(text)![1] === undefined, traced.where)
  if ((shape === 'text' || shape === 'name') && traced.value !== null && typeof traced.value !== 'string') return plain(text, traced.where)
  return traced
}
