import { z } from 'zod'
import { kind } from '../core/family.ts'
import { noSuchService, type Registry } from './registry.ts'

/** No endpoint, for certain: every call is refused with ENMESH_NO_ENDPOINT. Holds the place of an upstream that is not there yet. */
export const none = kind('none', z.strictObject({}), (): Registry => async function* () {
  yield noSuchService
})
