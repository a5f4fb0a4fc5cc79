/** How long a soak may take, in seconds: `SOAK_SECONDS`, 60 by default. */
export const soakSeconds = Number(process.env.SOAK_SECONDS ?? 60)
if (!(soakSeconds > 0)) throw new RangeError(`SOAK_SECONDS takes a number above 0, not '${process.env.SOAK_SECONDS}'`)
