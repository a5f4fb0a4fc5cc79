export const traceId = '0af7651916cd43dd8448eb211c80319c'
export const parentId = 'b7ad6b7169203331'

/** A valid parent, sampled. */
export const valid = `00-${traceId}-${parentId}-01`

/** What is sent on when an invalid trace is begun anew: another id, not sampled, at random. */
export const restarted = 'restarted'

/** One inbound request, and what has to go out with the calls made for it. */
export interface Case {
  readonly what: string
  /** The inbound fields: name, value, name, value. */
  readonly came: readonly string[]
  /** The outgoing parent where nobody records: as it came, `restarted`, or none. */
  readonly parent: string | undefined
  readonly state?: string | undefined
}

const parents = (list: readonly (readonly [what: string, value: string, parent: string])[]): readonly Case[] =>
  list.map(([what, value, parent]) => ({ what, came: ['traceparent', value], parent }))

const states = (list: readonly (readonly [what: string, value: string | readonly string[], state: string | undefined])[]): readonly Case[] =>
  list.map(([what, value, state]) => ({
    what,
    came: ['traceparent', valid, ...[value].flat().flatMap((field) => ['tracestate', field])],
    parent: valid,
    state,
  }))

const members = (count: number): string => Array.from({ length: count }, (_, i) => `k${i}=v${i}`).join(',')
const tenant = (letters: number, system: number): string => `${'t'.repeat(letters)}@${'s'.repeat(system)}`

export const cases: readonly Case[] = [
  { what: 'nothing comes', came: [], parent: undefined },
  { what: 'a tracestate comes alone', came: ['tracestate', 'a=1'], parent: undefined },
  { what: 'the name is written in capitals', came: ['TraceParent', valid, 'TraceState', 'a=1'], parent: valid, state: 'a=1' },
  { what: 'two equal parents come', came: ['traceparent', valid, 'traceparent', valid], parent: restarted },
  { what: 'two parents come', came: ['traceparent', valid, 'Traceparent', `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`], parent: restarted },
  { what: 'an invalid parent comes with a state', came: ['traceparent', `00-${traceId}-${parentId}`, 'tracestate', 'a=1'], parent: restarted },
  ...parents([
    ['a valid parent', valid, valid],
    ['no flags', `00-${traceId}-${parentId}-00`, `00-${traceId}-${parentId}-00`],
    ['the flag of random ids', `00-${traceId}-${parentId}-02`, `00-${traceId}-${parentId}-02`],
    ['both known flags', `00-${traceId}-${parentId}-03`, `00-${traceId}-${parentId}-03`],
    ['flags unknown, but sampled', `00-${traceId}-${parentId}-ff`, `00-${traceId}-${parentId}-03`],
    ['flags unknown, and not sampled', `00-${traceId}-${parentId}-fc`, `00-${traceId}-${parentId}-00`],
    ['flags with a capital', `00-${traceId}-${parentId}-0A`, restarted],
    ['flags of one digit', `00-${traceId}-${parentId}-1`, restarted],
    ['flags of three digits', `00-${traceId}-${parentId}-001`, restarted],
    ['flags that are no digits', `00-${traceId}-${parentId}-.0`, restarted],
    ['no flags at all', `00-${traceId}-${parentId}`, restarted],
    ['version ff', `ff-${traceId}-${parentId}-01`, restarted],
    ['version FF', `FF-${traceId}-${parentId}-01`, restarted],
    ['a version of one digit', `0-${traceId}-${parentId}-01`, restarted],
    ['a version of three digits', `000-${traceId}-${parentId}-01`, restarted],
    ['a version that is no number', `xy-${traceId}-${parentId}-01`, restarted],
    ['a version of dots', `..-${traceId}-${parentId}-01`, restarted],
    ['a version in capitals', `CC-${traceId}-${parentId}-01`, restarted],
    ['no version', `${traceId}-${parentId}-01`, restarted],
    ['a version of the future', `cc-${traceId}-${parentId}-01`, valid],
    ['a version of the future with more', `cc-${traceId}-${parentId}-01-what-the-future-will-be-like`, valid],
    ['a version of the future with a dash', `01-${traceId}-${parentId}-00-`, `00-${traceId}-${parentId}-00`],
    ['a version of the future with more behind a dot', `cc-${traceId}-${parentId}-01.what-the-future-will-be-like`, restarted],
    ['a version of the future with more behind nothing', `cc-${traceId}-${parentId}-01what`, restarted],
    ['a version of the future cut short', `cc-${traceId}-${parentId}-0`, restarted],
    ['version 00 with more', `00-${traceId}-${parentId}-01-what-the-future-will-be-like`, restarted],
    ['version 00 with a dash', `00-${traceId}-${parentId}-01-`, restarted],
    ['version 00 with a dot', `00-${traceId}-${parentId}-01.`, restarted],
    ['a trace id of zeros', `00-${'0'.repeat(32)}-${parentId}-01`, restarted],
    ['a parent id of zeros', `00-${traceId}-${'0'.repeat(16)}-01`, restarted],
    ['a trace id one short', `00-${traceId.slice(1)}-${parentId}-01`, restarted],
    ['a trace id one long', `00-${traceId}1-${parentId}-01`, restarted],
    ['a trace id with a capital', `00-${traceId.replace('a', 'A')}-${parentId}-01`, restarted],
    ['a trace id with a letter that is no digit', `00-${traceId.replace('a', 'g')}-${parentId}-01`, restarted],
    ['a parent id one short', `00-${traceId}-${parentId.slice(1)}-01`, restarted],
    ['a parent id one long', `00-${traceId}-${parentId}1-01`, restarted],
    ['a parent id with a capital', `00-${traceId}-${parentId.replace('b', 'B')}-01`, restarted],
    ['a parent id with a dot', `00-${traceId}-${parentId.replace('b', '.')}-01`, restarted],
    ['underscores for dashes', valid.replaceAll('-', '_'), restarted],
    ['a dash too many', valid.replace('-', '--'), restarted],
    ['a dash too few', valid.replace('-', ''), restarted],
    ['blanks within', valid.replace('-', '- '), restarted],
    ['an empty parent', '', restarted],
    ['a comma behind', `${valid},`, restarted],
    ['words', 'none', restarted],
    ['white space around it', ` \t${valid}\t `, valid],
    ['much more than fits', `00-${traceId}-${parentId}-01${'0'.repeat(4_000)}`, restarted],
  ]),
  ...states([
    ['one member', 'a=1', 'a=1'],
    ['several members, in order', 'b=2,a=1,c=3', 'b=2,a=1,c=3'],
    ['several fields, in order', ['a=1', 'b=2', 'c=3,d=4'], 'a=1,b=2,c=3,d=4'],
    ['an empty field among several', ['a=1', '', 'b=2'], 'a=1,b=2'],
    ['an empty state', '', undefined],
    ['nothing but commas', ' , ,, ', undefined],
    ['empty members', 'a=1,,b=2, ,c=3,', 'a=1,b=2,c=3'],
    ['white space around members', '\ta=1 \t, \tb=2 ,c=3', 'a=1,b=2,c=3'],
    ['a member twice', 'a=1,a=2,a=1', 'a=1,a=2,a=1'],
    ['32 members', members(32), members(32)],
    ['33 members', members(33), undefined],
    ['32 members with empty ones between', members(32).replaceAll(',', ',,'), members(32)],
    ['a key of all that it may have', 'a0_-*/z=1', 'a0_-*/z=1'],
    ['a key that begins with a digit', '0a=1', '0a=1'],
    ['a key of a tenant', 'fw529a3039@dt=FfIdP', 'fw529a3039@dt=FfIdP'],
    ['a tenant that begins with a digit', '0tenant@system=1', '0tenant@system=1'],
    ['a system that begins with a digit', 'tenant@0system=1', undefined],
    ['a tenant without system', 'tenant@=1', undefined],
    ['a system without tenant', '@system=1', undefined],
    ['two at-signs', 'a@b@c=1', undefined],
    ['two at-signs together', 'a@@c=1', undefined],
    ['a key in capitals', 'A=1', undefined],
    ['a key with a dot', 'a.b=1', undefined],
    ['a key with a blank', 'a b=1', undefined],
    ['a blank between key and equals', 'a =1', undefined],
    ['a key that begins with an underscore', '_a=1', undefined],
    ['an empty key', '=1', undefined],
    ['no equals', 'a', undefined],
    ['an empty value', 'a=', undefined],
    ['a blank in a value', 'a=b c', 'a=b c'],
    ['a blank before a value', 'a= b', 'a= b'],
    ['an equals in a value', 'a=b=c', undefined],
    ['a tab in a value', 'a=b\tc', undefined],
    ['a letter beyond ASCII in a value', 'a=é', undefined],
    ['all that a value may have', 'a=!#$%&\'()*+-./09:;<>?@AZ[]^_`az{|}~"\\', 'a=!#$%&\'()*+-./09:;<>?@AZ[]^_`az{|}~"\\'],
    ['one bad member among good ones', 'a=1,b,c=3', undefined],
    ['a key of 256 letters', `${'k'.repeat(256)}=1`, `${'k'.repeat(256)}=1`],
    ['a key of 257 letters', `${'k'.repeat(257)}=1`, undefined],
    ['a tenant of 241 and a system of 14 letters', `${tenant(241, 14)}=1`, `${tenant(241, 14)}=1`],
    ['a tenant of 242 letters', `${tenant(242, 14)}=1`, undefined],
    ['a system of 15 letters', `${tenant(241, 15)}=1`, undefined],
    ['a value of 256 characters', `a=${'v'.repeat(256)}`, `a=${'v'.repeat(256)}`],
    ['a value of 257 characters', `a=${'v'.repeat(257)}`, undefined],
    ['8 190 characters', Array.from({ length: 32 }, () => `a=${'v'.repeat(253)}`).join(',').slice(0, 8_190), Array.from({ length: 32 }, () => `a=${'v'.repeat(253)}`).join(',').slice(0, 8_190)],
    ['more than 8 192 characters', Array.from({ length: 32 }, () => `key=${'v'.repeat(253)}`).join(','), undefined],
  ]),
]
