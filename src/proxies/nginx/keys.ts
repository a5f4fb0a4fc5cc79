import type { RequestPart } from '../../core/request-part.ts'
import { plain } from '../text.ts'
import { mapBlock } from './conditions.ts'
import { variable } from './quote.ts'

const sourceOf = ({ header, cookie, query }: RequestPart, path: string): string => {
  if (header !== undefined) return `$http_${variable(plain(header, '_-', path, 'a header name'))}`
  if (cookie !== undefined) return `$cookie_${plain(cookie, '_', path, 'the name of a cookie for nginx')}`
  return query === undefined ? '$uri' : `$arg_${plain(query, '_', path, 'the name of a parameter for nginx')}`
}

/** Maps that set a variable to the first of some parts that a request has, or to something random. */
export const keyLines = (name: string, parts: readonly RequestPart[], path: string): readonly string[] => parts.toReversed().flatMap((part, index) => {
  const place = parts.length - 1 - index
  const source = sourceOf(part, path)
  return mapBlock(source, place === 0 ? name : `${name}_${place}`, [`default ${source}`, `"" ${index === 0 ? '$request_id' : `$${name}_${place + 1}`}`])
})
