import { z } from 'zod'

/** A share, as a number from 0 to 100. */
export const percent = z.number().min(0).max(100)
