/** How an instance behaves, health checks included. */
export interface Behaviour {
  readonly kind: 'well' | 'failing' | 'hanging' | 'resetting'
  /** Milliseconds that it works on a request. */
  readonly work: number
  /** Requests that it works on at once; the others wait their turn. */
  readonly slots: number
}

/** How an instance behaves that nothing ails. */
export const well: Behaviour = { kind: 'well', work: 10, slots: 16 }
