import { apiJson } from './api-json.ts'
import { readCloudFormation } from './cloudformation.ts'
import type { FormatReader, GroupReader } from './found.ts'
import { readKubernetes } from './kubernetes.ts'
import { readTerraform } from './terraform.ts'

/** A format that definitions are read from. */
export interface Format {
  readonly name: string
  readonly read: FormatReader
  /**
   * Whether a resource in a later source takes the place of one read before, as `aws appmesh update-route` and `kubectl apply` have it.
   * In other formats the same name twice is a fault.
   */
  readonly replaces: boolean
}

/** A format whose files may name one another. */
export interface GroupFormat {
  readonly name: string
  readonly read: GroupReader
  readonly replaces: boolean
}

/** The formats that get all their files at once. */
export const groupFormats: readonly GroupFormat[] = [
  { name: 'CloudFormation', read: readCloudFormation, replaces: false },
  { name: 'Kubernetes manifests', read: readKubernetes, replaces: true },
  { name: 'Terraform', read: readTerraform, replaces: false },
]

/** The formats; the first that claims a source reads it. JSON of the API comes last, since it claims whatever looks like JSON. */
export const formats: readonly Format[] = [
  { name: 'JSON of the App Mesh API', read: apiJson, replaces: true },
]
