import { readApiJson } from './api-json.ts'
import { readCloudFormation } from './cloudformation.ts'
import type { Format } from './format.ts'
import { readKubernetes } from './kubernetes.ts'
import { readTerraform } from './terraform.ts'

/** The formats; the first that takes a source reads it. JSON of the API comes last, since it takes whatever looks like JSON. */
export const formats: readonly Format[] = [
  { name: 'CloudFormation', read: readCloudFormation, replaces: false },
  { name: 'Kubernetes manifests', read: readKubernetes, replaces: true },
  { name: 'Terraform', read: readTerraform, replaces: false },
  {
    name: 'JSON of the App Mesh API', read: readApiJson, replaces: true,
    mentions: /"(?:mesh(?:es|Name)?|virtual\w+|(?:gatewayR|r)oute(?:s|Name)?)"/,
  },
]
