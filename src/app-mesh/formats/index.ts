import { apiJson } from './api-json.ts'
import { readCloudFormation } from './cloudformation.ts'
import type { Format, GroupFormat } from './format.ts'
import { readKubernetes } from './kubernetes.ts'
import { readTerraform } from './terraform.ts'

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
