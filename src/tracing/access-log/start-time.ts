const two = (value: number): string => String(value).padStart(2, '0')

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const months = [
  'January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December',
]

const dayOfYear = (date: Date): number =>
  Math.round((Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()) - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000) + 1

const hours12 = (date: Date): number => date.getUTCHours() % 12 || 12

/** What may stand after `%` in the format of a time, as `strftime` has it; always UTC. */
const specifiers: Readonly<Record<string, (date: Date) => string>> = {
  'Y': (date) => String(date.getUTCFullYear()),
  'y': (date) => two(date.getUTCFullYear() % 100),
  'm': (date) => two(date.getUTCMonth() + 1),
  'd': (date) => two(date.getUTCDate()),
  'e': (date) => String(date.getUTCDate()).padStart(2, ' '),
  'j': (date) => String(dayOfYear(date)).padStart(3, '0'),
  'H': (date) => two(date.getUTCHours()),
  'I': (date) => two(hours12(date)),
  'M': (date) => two(date.getUTCMinutes()),
  'S': (date) => two(date.getUTCSeconds()),
  'p': (date) => date.getUTCHours() < 12 ? 'AM' : 'PM',
  'a': (date) => days[date.getUTCDay()]!.slice(0, 3),
  'A': (date) => days[date.getUTCDay()]!,
  'b': (date) => months[date.getUTCMonth()]!.slice(0, 3),
  'B': (date) => months[date.getUTCMonth()]!,
  'F': (date) => date.toISOString().slice(0, 10),
  'T': (date) => date.toISOString().slice(11, 19),
  's': (date) => String(Math.floor(date.getTime() / 1_000)),
  'z': () => '+0000',
  'Z': () => 'UTC',
  '%': () => '%',
}

const fraction = (date: Date, digits: number): string =>
  String(date.getUTCMilliseconds()).padStart(3, '0').padEnd(9, '0').slice(0, digits)

type Piece = string | ((date: Date) => string)

const specifier = /%(?:([1-9]?)f|(.))/gs

/** A piece of a format: text, a fraction of a second (`%3f` has three digits, `%f` nine), or a specifier. */
const piecesOf = (format: string): readonly Piece[] => {
  const pieces: Piece[] = []
  let read = 0
  for (const { 0: whole, 1: digits, 2: letter, index } of format.matchAll(specifier)) {
    pieces.push(format.slice(read, index))
    read = index + whole.length
    if (letter === undefined) pieces.push((date) => fraction(date, Number(digits) || 9))
    else pieces.push(specifiers[letter] ?? whole)
  }
  pieces.push(format.slice(read))
  return pieces
}

/** What is wrong with the format of a time, if anything is. */
export const timeFault = (format: string): string | undefined => {
  for (const [whole, , letter] of format.matchAll(specifier)) {
    if (letter !== undefined && !Object.hasOwn(specifiers, letter)) {
      return `'${whole}' is no part of a time: known are %${Object.keys(specifiers).join(' %')} and %1f to %9f`
    }
  }
  return undefined
}

/** Writes milliseconds since the epoch in a format of `strftime`, in UTC; without one as `2026-11-24T13:02:17.000Z`. */
export const startTime = (format: string | undefined): (wall: number) => string => {
  if (format === undefined || format === '') return (wall) => new Date(wall).toISOString()
  const pieces = piecesOf(format)
  return (wall) => {
    const date = new Date(wall)
    return pieces.map((piece) => typeof piece === 'string' ? piece : piece(date)).join('')
  }
}
