import { carriesName, type Caller } from './caller.ts'
import type { AuthorizeConfig } from './authorize-options.ts'
import { isBelow, plainPath } from './plain-path.ts'

type RuleConfig = AuthorizeConfig['rules'][number]

/** A rule made ready, with how often it decided. */
export interface Rule {
  readonly config: RuleConfig
  readonly path: string
  allowed: number
  denied: number
}

/** What is decided of a call, and why. */
export interface Verdict {
  readonly allowed: boolean
  /** In words, what was found. */
  readonly reason: string
  /** The rule that decided; `undefined` where none is for the call. */
  readonly rule: Rule | undefined
}

/** The most special first: the longest path, with methods before without, then as they are written. */
export const readyRules = (configs: readonly RuleConfig[]): readonly Rule[] => configs
  .map((config): Rule => ({ config, path: plainPath(config.path)!, allowed: 0, denied: 0 }))
  .sort((a, b) => b.path.length - a.path.length || Number(b.config.methods !== undefined) - Number(a.config.methods !== undefined))

const isFor = ({ config: { methods }, path: prefix }: Rule, method: string, path: string): boolean =>
  isBelow(path, prefix) && (methods === undefined || methods.includes(method) || (method === 'HEAD' && methods.includes('GET')))

const mayCall = ({ config: { callers } }: Rule, caller: Caller): boolean =>
  callers === 'anyone' || (caller.verified && (callers === 'verified' || callers.some((name) => carriesName(caller, name))))

/** Decides on a call. */
export const judgeCall = (rules: readonly Rule[], byDefault: AuthorizeConfig['default'], method: string, target: string, caller: Caller): Verdict => {
  const path = plainPath(target)
  // Not even where the default is to allow: the framework may take it for what a rule is for.
  if (path === undefined) return { allowed: false, reason: 'its path may be read in more than one way', rule: undefined }
  // HTTP/2 carries any word, and there are routers that take `post` for `POST`.
  if (method !== method.toUpperCase()) return { allowed: false, reason: 'its method is not in capitals, and may be read in more than one way', rule: undefined }
  const rule = rules.find((one) => isFor(one, method, path))
  if (!rule) return { allowed: byDefault === 'allow', reason: 'no rule is for it', rule }
  if (mayCall(rule, caller)) return { allowed: true, reason: 'its rule names the caller', rule }
  return { allowed: false, reason: caller.verified ? 'its rule does not name the caller' : 'its rule wants a caller with a trusted certificate', rule }
}
