/** What kind of thing a caller gave in place of another, for messages; never text that might be a secret. */
export const kindOf = (value: unknown): string => {
  if (value === null || value === undefined || typeof value === 'boolean' || typeof value === 'number') return String(value)
  if (typeof value === 'string') return 'text'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** The same of a place, whose text is shown without what may be a password or stand in a query. */
export const shownPlace = (value: unknown): string =>
  typeof value === 'string' ? `'${value.replace(/^.*@/s, '…@').replace(/\?.*$/s, '?…')}'` : kindOf(value)
