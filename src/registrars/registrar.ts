/** One instance of a service, as it is announced. */
export interface Instance {
  /** The name of the service. */
  readonly service: string
  /** Its own name among the instances of the service. */
  readonly id: string
  /** Where it can be dialled: `host:port`, or `[v6]:port`. */
  readonly address: string
  /** The two parts of the address; an IPv6 address without brackets. */
  readonly host: string
  readonly port: number
  /** What registries say of it beside its address: `zone`, and whatever subsets select by. */
  readonly metadata: Readonly<Record<string, string>>
}

/** The place of one instance in a registry. Each of its methods throws when it could not be done, and gives up when its signal is aborted. */
export interface Registration {
  /** Milliseconds between two signs of life; what forgets instances that give none waits for several of them. */
  readonly every: number
  /** Milliseconds after which those who read this registry have heard, as a rule, that an instance is gone. */
  readonly propagation: number
  /** Writes the instance down, whether or not it is there already. */
  register(healthy: boolean, signal: AbortSignal): Promise<void>
  /** Gives a sign of life, and says how the instance is. `false` where the registry does not know it any more. */
  renew(healthy: boolean, signal: AbortSignal): Promise<boolean>
  /** Takes it away. One that is not there is no fault. */
  deregister(signal: AbortSignal): Promise<void>
}

/**
 * The writing side of a registry. A registrar does no back-off, no repetition and no error handling of its own: `keep` does all three.
 * Nothing is asked of one before the last question to it is over.
 */
export type Registrar = (instance: Instance) => Registration

/** A place in a registry that lists instances and says nothing of how they are. */
export type Listing = Omit<Registration, 'register' | 'renew'> & {
  /** Writes the instance down, whether or not it is there already. */
  register(signal: AbortSignal): Promise<void>
  /** Gives a sign of life. `false` where the registry does not list it any more. */
  renew(signal: AbortSignal): Promise<boolean>
}

/** The same as a registration: an instance that is not well is not listed, until it is well again. */
export const listing = (made: Listing): Registration => {
  let listed = false
  const list = async (healthy: boolean, signal: AbortSignal): Promise<void> => {
    await (healthy ? made.register(signal) : made.deregister(signal))
    listed = healthy
  }
  return {
    ...made,
    register: list,
    renew: async (healthy, signal) => {
      if (healthy && listed) return made.renew(signal)
      if (healthy || listed) await list(healthy, signal)
      return true
    },
  }
}
