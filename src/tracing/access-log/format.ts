import type { Entry } from './entry.ts'
import { isForeign, operators, type Reading } from './operators.ts'

/** An operator as it stands in a format: `%REQ(user-agent):20%`. */
export interface Written {
  /** The whole of it, with its signs. */
  readonly text: string
  readonly name: string
  /** What stands in its brackets. */
  readonly argument: string | undefined
  /** Characters at most. */
  readonly longest: number | undefined
}

const operator = /%%|%([A-Z][A-Z0-9_]*)(?:\(([^\r\n]*?)\))?(?::(\d{1,6}))?%/g

/** Takes a format apart to texts and operators; a lone `%` is text here, and a fault below. */
const partsOf = (format: string): readonly (string | Written)[] => {
  const parts: (string | Written)[] = []
  let read = 0
  for (const { 0: text, 1: name, 2: argument, 3: longest, index } of format.matchAll(operator)) {
    if (index > read) parts.push(format.slice(read, index))
    read = index + text.length
    if (name === undefined) parts.push('%%')
    else parts.push({ text, name, argument, longest: longest === undefined ? undefined : Number(longest) })
  }
  if (read < format.length) parts.push(format.slice(read))
  return parts
}

/** The operators of a format, in their order. */
export const operatorsIn = (format: string): readonly Written[] => partsOf(format).filter((part) => typeof part !== 'string')

/** What is wrong with one operator, if anything is. */
export const operatorFault = ({ text, name, argument }: Written): string | undefined => {
  if (isForeign(name)) return undefined
  const known = Object.hasOwn(operators, name) ? operators[name] : undefined
  if (!known) return `'${text}' is no operator: known are ${Object.keys(operators).join(', ')}`
  if (known.faultOf) {
    const fault = known.faultOf(argument)
    return fault && `'${text}': ${fault}`
  }
  return argument === undefined ? undefined : `'${text}' takes nothing in brackets`
}

/** What is wrong with a format, if anything is. */
export const formatFault = (format: string): string | undefined => {
  for (const part of partsOf(format)) {
    if (typeof part !== 'string') {
      const fault = operatorFault(part)
      if (fault !== undefined) return fault
    } else if (part !== '%%' && part.includes('%')) {
      return `has a '%' that begins no operator, at '${part.slice(part.indexOf('%'), part.indexOf('%') + 20)}': write '%%' for the sign itself`
    }
  }
  return undefined
}

const shortened = (value: string, longest: number | undefined): string => longest === undefined ? value : value.slice(0, longest)

const nothing: Reading = () => undefined

const readingOf = ({ name, argument, longest }: Written): Reading => {
  const reading = (Object.hasOwn(operators, name) ? operators[name]!.make(argument) : undefined) ?? nothing
  if (longest === undefined) return reading
  return (entry) => {
    const value = reading(entry)
    return typeof value === 'string' ? shortened(value, longest) : value
  }
}

const unprintable = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g

/** What came from outside may not begin a line of its own, nor speak to a terminal. */
const printable = (value: string): string => value.replace(unprintable, (letter) => `\\x${letter.charCodeAt(0).toString(16).padStart(2, '0')}`)

/** Writes calls as text. The format has no fault. */
export const textFormat = (format: string): (entry: Entry) => string => {
  const pieces = partsOf(format).map((part) => part === '%%' ? '%' : typeof part === 'string' ? part : readingOf(part))
  return (entry) => pieces.map((piece) => {
    if (typeof piece === 'string') return piece
    const value = piece(entry)
    return value === undefined || value === '' ? '-' : printable(String(value))
  }).join('')
}

/** Writes calls as lines of text, each with its end. */
export const lineFormat = (format: string): (entry: Entry) => string => {
  const write = textFormat(format)
  return format.endsWith('\n') ? write : (entry) => `${write(entry)}\n`
}

/** A value of a JSON member: an operator alone keeps its type, and is null where there is nothing. */
const memberOf = (format: string): (entry: Entry) => string | number | null => {
  const parts = partsOf(format)
  const [only] = parts
  if (parts.length !== 1 || typeof only !== 'object') return textFormat(format)
  const reading = readingOf(only)
  return (entry) => reading(entry) ?? null
}

/** Writes calls as JSON, one object a line. */
export const jsonFormat = (members: Readonly<Record<string, string>>): (entry: Entry) => string => {
  const written = Object.entries(members).map(([name, format]) => [JSON.stringify(name), memberOf(format)] as const)
  return (entry) => `{${written.map(([name, value]) => `${name}:${JSON.stringify(value(entry))}`).join(',')}}\n`
}

/** What Envoy writes where nothing is said of it. */
export const defaultFormat = '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n'
