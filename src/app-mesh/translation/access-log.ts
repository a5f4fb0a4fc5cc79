import type { MeshInput } from '../../mesh/config.ts'
import { formatFault, operatorFault, operatorsIn } from '../../tracing/access-log/format.ts'
import { isForeign } from '../../tracing/access-log/operators.ts'
import type { AccessLogging } from '../document/logging.ts'
import type { BodyPath } from '../found.ts'
import type { Remarks } from './remarks.ts'

type AccessLogInput = NonNullable<NonNullable<MeshInput['telemetry']>['accessLog']>

/** The access log of the node or gateway that the process is. Operators that ask for what only a proxy has are written as `-`. */
export const accessLogOf = (
  logging: AccessLogging | undefined, resource: string, remarks: Remarks,
): AccessLogInput | undefined => {
  const file = logging?.accessLog?.file
  if (!file) return undefined
  const { path, format } = file
  const at = ['spec', 'logging', 'accessLog', 'file', 'format']
  if (format?.text !== undefined) {
    const text = understood(format.text, [...at, 'text'], resource, remarks)
    return { path, ...(text !== undefined && { format: text }) }
  }
  const members = (format?.json ?? []).map(({ key, value }, index) =>
    [key, understood(value, [...at, 'json', index, 'value'], resource, remarks) ?? '-'] as const)
  return { path, ...(members.length > 0 && { json: Object.fromEntries(members) }) }
}

/** A format with what is not understood in it replaced by `-`; `undefined` where nothing can be made of it. */
const understood = (format: string, at: BodyPath, resource: string, remarks: Remarks): string | undefined => {
  let text = format
  for (const operator of operatorsIn(format)) {
    const fault = operatorFault(operator)
    if (fault !== undefined) {
      remarks.warn(resource, at, `${fault}; '-' is written in its place`)
      text = text.replace(operator.text, () => '-')
    } else if (isForeign(operator.name)) {
      remarks.warn(resource, at, `'${operator.text}' asks for what only a proxy has: '-' is written in its place`)
    }
  }
  const fault = formatFault(text)
  if (fault === undefined) return text
  remarks.warn(resource, at, `${fault}. It is left out`)
  return undefined
}
