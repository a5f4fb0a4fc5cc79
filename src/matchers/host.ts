import { domainToASCII } from 'node:url'
import { z } from 'zod'
import { matcherKind, type Matcher } from './matcher.ts'

interface HostName {
  readonly wildcard: boolean
  readonly name: string
  /** Any port where there is none. */
  readonly port: number | undefined
}

const shape = /^(\*\.)?(\[[0-9a-fA-F:.]+\]|[^\s:/?#@[\]*%\\]+?)\.?(?::(\d{1,5}))?$/

const hostName = (text: string): HostName | undefined => {
  const [, wildcard, name = '', port] = shape.exec(text) ?? []
  const ascii = domainToASCII(name)
  if (ascii === '' || ascii.endsWith('.') || port === '0' || Number(port) > 65_535) return undefined
  return { wildcard: wildcard !== undefined, name: ascii, port: port === undefined ? undefined : Number(port) }
}

const canonical = ({ wildcard, name, port }: HostName): string =>
  `${wildcard ? '*.' : ''}${name}${port === undefined ? '' : `:${port}`}`

const pattern = z.string().transform((text, context) => {
  const parsed = hostName(text)
  if (parsed) return canonical(parsed)
  context.addIssue({ code: 'custom', message: `'${text}' is not a host: write 'name', 'name:port' or '*.suffix'` })
  return z.NEVER
})

const hostConfig = z
  .union([pattern.transform((host) => [host]), z.array(pattern).min(1)])
  .transform((hosts) => [...new Set(hosts)].sort())
  .describe("The host that was dialled, one or a list: 'name', 'name:port', or '*.suffix' for every name below it.")

const hostTest = (text: string): ((host: string, port: number) => boolean) => {
  const { wildcard, name, port: wanted } = hostName(text)!
  const suffix = `.${name}`
  return (host, port) =>
    (wanted === undefined || wanted === port)
    && (wildcard ? host.length > suffix.length && host.endsWith(suffix) : host === name)
}

/**
 * `host`: the name that was dialled, one or a list. `'*.shop.local'` is any name below it, at any depth.
 * Case and a trailing dot make no difference; without a port any port matches.
 */
export const host = matcherKind('host', hostConfig, (hosts): Matcher => {
  const tests = hosts.map(hostTest)
  return {
    conditions: 1,
    matches: ({ host, port }) => {
      for (const holds of tests) if (holds(host, port)) return true
      return false
    },
    explain: (request) => `host '${request.authority}' is not ${hosts.map((each) => `'${each}'`).join(' or ')}`,
  }
})
