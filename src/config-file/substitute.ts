/** Environment variables by name; those that are not set are absent or `undefined`. */
export type Environment = Readonly<Record<string, string | undefined>>

/** A text after its variables were replaced. */
export interface Substituted {
  readonly text: string
  /** The variables in it, as faults show them in place of the text: `${NAME}`. Empty where there are none. */
  readonly names: string
  /** True where the variable was all that was written, so that a number or a boolean may be meant. */
  readonly whole: boolean
  /** Why it cannot be replaced; tells names, never values. */
  readonly faults: readonly string[]
}

const variable = /\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?/g

/**
 * Replaces `${NAME}` by the variable of that name, and `${NAME:-default}` by the default where it is not set or empty, as a shell does.
 * `$${` is a literal `${`; a default is plain text, without variables. What a variable brings in is text: nothing in it is replaced, or read as syntax of the file.
 */
export const substitute = (written: string, env: Environment): Substituted => {
  const names = new Set<string>()
  const faults: string[] = []
  let whole = false
  const text = written.replace(variable, (found: string, name: string | undefined, fallback: string | undefined) => {
    if (found === '$${') return '${'
    if (name === undefined) {
      faults.push('has a ${ that begins no variable: write ${NAME} or ${NAME:-default}, or $${ for the characters themselves')
      return ''
    }
    if (fallback?.includes('${')) {
      faults.push(`the default of \${${name}} has a \${ in it, and a default is plain text: write \${${name}:-text}, or choose between variables ` +
        `where the process is started, or in a module (process.env.${name} || process.env.OTHER)`)
      return ''
    }
    names.add(`\${${name}}`)
    whole ||= found === written
    const value = Object.hasOwn(env, name) ? env[name] : undefined
    if (fallback !== undefined) return value || fallback
    if (value === undefined) faults.push(`the environment variable ${name} is not set: set it, or write a default: \${${name}:-default}`)
    return value ?? ''
  })
  return { text, names: [...names].join(''), whole, faults }
}

const number = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/

/** The number or boolean that a text may stand for; `undefined` if it can only be text. */
export const otherReading = (text: string): number | boolean | undefined => {
  if (text === 'true' || text === 'false') return text === 'true'
  return number.test(text) ? Number(text) : undefined
}
