import { z } from 'zod'
import { readSecret, secret } from '../config/secret.ts'
import { serverUrl } from './http.ts'

const awsCredentials = z.strictObject({
  accessKeyId: secret.describe('The access key: { env } or { file }, read for each call.'),
  secretAccessKey: secret.describe('Its secret: { env } or { file }, read for each call.'),
  sessionToken: secret.optional().describe('The session token, where they are temporary: { env } or { file }, read for each call.'),
})

/** The options for where Cloud Map is and what to sign with. */
export const awsAccess = {
  region: z.string().min(1).optional().describe("The region, as in 'eu-west-1'; by default the one that the SDK finds (AWS_REGION, profile)."),
  endpoint: serverUrl.optional().describe("URL to ask in place of the region's own, exactly as it is written."),
  credentials: awsCredentials.optional().describe('What to sign with; by default what the SDK finds (environment, profile, role of the task, pod or machine).'),
}

/** Parsed form of `awsAccess`. */
export interface AwsAccess {
  readonly region?: string | undefined
  readonly endpoint?: string | undefined
  readonly credentials?: z.output<typeof awsCredentials> | undefined
}

const sdkName = '@aws-sdk/client-servicediscovery'

const load = async () => {
  try {
    return await import('@aws-sdk/client-servicediscovery')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new Error(`Cloud Map is asked with the package ${sdkName}, which cannot be found: npm install ${sdkName}`, { cause: error })
  }
}

/** Loads the SDK and makes a client, which asks once for each call. Rejects with an `Error` that says how to install the SDK where it is missing. */
export const connect = async ({ region, endpoint, credentials }: AwsAccess) => {
  const sdk = await load()
  const client = new sdk.ServiceDiscoveryClient({
    maxAttempts: 1,
    ...(region !== undefined && { region }),
    // The SDK would put `data-` before the host, whatever it is.
    ...(endpoint !== undefined && { endpoint, disableHostPrefix: true }),
    ...(credentials && { credentials: () => readCredentials(credentials) }),
  })
  return { sdk, client }
}

/** A client with the SDK that it is of. */
export type Connected = Awaited<ReturnType<typeof connect>>

const readCredentials = async ({ accessKeyId, secretAccessKey, sessionToken }: z.output<typeof awsCredentials>) => ({
  accessKeyId: await readSecret(accessKeyId),
  secretAccessKey: await readSecret(secretAccessKey),
  ...(sessionToken && { sessionToken: await readSecret(sessionToken) }),
  // As good as over, so that the SDK keeps none and each call reads them anew.
  expiration: new Date(0),
})
