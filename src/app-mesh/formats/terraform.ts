import { Unreadable } from '../../config-file/piece.ts'
import { toFound, type Subject } from '../body/body.ts'
import { positionIn } from '../body/positions.ts'
import type { Fault, Found, ReadOptions, Source } from '../found.ts'
import type { FormatReader } from './format.ts'
import { TerraformDialect, types } from './terraform/dialect.ts'
import { instancesOf, isLanguage, type HclParser, type LoadParser } from './terraform/language.ts'
import { resourcesIn } from './terraform/state.ts'
import type { Traced } from '../body/traced.ts'

type Tell = (fault: Fault) => void

// A name in a variable keeps TypeScript from reading the package's types, which bring those of browsers with them.
const parser: string = '@cdktf/hcl2json'

// Loaded when first needed: it is an optional dependency, and brings a megabyte of WebAssembly.
const loadParser: LoadParser = () => import(parser) as Promise<HclParser>

/** Reads Terraform with a parser of its language; see `readTerraform`. */
export const terraformReader = (load: LoadParser): FormatReader => async (sources, options) => {
  const faults: Fault[] = []
  const tell: Tell = (fault) => { faults.push(fault) }
  const language = sources.filter(isLanguage)
  const taken = new Set(language)
  const found: Found[] = []
  for (const source of sources) {
    if (taken.has(source)) continue
    const resources = shown(source, options, tell)
    if (!resources) continue
    taken.add(source)
    found.push(...resources)
  }
  if (language.length > 0) {
    const instances = await instancesOf(language, options.variables ?? {}, load, tell)
    found.push(...instances.flatMap((instance) => {
      const { file, address, type } = instance
      const subject = { file, resource: address }
      const values = instance.read((path, message) => { tell({ severity: 'error', ...subject, path, message }) })
      return foundIn(type, values, subject, tell, (path, value) => {
        tell({ severity: 'warning', ...subject, path, message: `is ${value}, which Terraform's provider takes for not set: leave it out` })
      })
    }))
  }
  return { found, faults, taken }
}

/**
 * Reads Terraform's App Mesh resources: what `terraform show -json` says of a state or a plan, state files, and configurations
 * (`.tf`,
 * `.tf.json`, `.tfvars`). A configuration is evaluated as far as its files allow; what only an apply tells, as the DNS name of a load
 * balancer, is given like a variable, by its address. Configurations are parsed by the optional package `@cdktf/hcl2json`.
 */
export const readTerraform: FormatReader = terraformReader(loadParser)

/** What a state or a plan shows; `undefined` where the source is neither. */
const shown = (source: Source, options: ReadOptions, tell: Tell): readonly Found[] | undefined => {
  try {
    const resources = resourcesIn(source, options.variables ?? {}, tell)
    // There every value that is not set stands as an empty one.
    return resources?.flatMap(({ address, type, values }) => foundIn(type, values, { file: source.file, resource: address }, tell, () => {}))
  } catch (error) {
    if (!(error instanceof Unreadable || error instanceof RangeError)) throw error
    const place = error instanceof Unreadable ? positionIn(source)(error.at) : {}
    const message = error instanceof Unreadable ? error.message : 'it is nested too deep'
    tell({ severity: 'error', file: source.file, ...place, message: `is no state or plan that can be read: ${message}` })
    return []
  }
}

const foundIn = (
  type: string, values: Traced, subject: Subject, tell: Tell, dropped: (path: string, value: string) => void,
): readonly Found[] => {
  const kind = Object.hasOwn(types, type) ? types[type]! : undefined
  if (kind === undefined) {
    tell({ severity: 'error', ...subject, message: `is of the type "${type}", and App Mesh has ${Object.keys(types).join(', ')}` })
    return []
  }
  const dialect = new TerraformDialect(kind, dropped, (path, count) => {
    tell({ severity: 'error', ...subject, path, message: `is there ${count} times, and App Mesh has one: leave the others out` })
  })
  return [toFound(kind, values, dialect, subject, tell)]
}
