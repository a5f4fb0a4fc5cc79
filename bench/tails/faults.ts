/** What ails one of the ten servers, from the beginning. */
export const faults = {
  'none': { title: 'All well', text: 'None of the ten has a fault: what the others are measured by.' },
  'slow': { title: 'One of ten is ten times slower', text: 'It answers everything, and takes ten times as long for it.' },
  'instant 503': { title: 'One of ten answers an instant 503', text: 'It has nothing to do, so it looks like the fastest and the least busy of all.' },
  'hanging': { title: 'One of ten hangs', text: 'It accepts connections and requests, and never answers.' },
  'resetting': { title: 'One of ten resets', text: 'It accepts connections, and resets each as soon as a request is in.' },
} as const satisfies Readonly<Record<string, { readonly title: string, readonly text: string }>>

/** The name of a fault. */
export type Fault = keyof typeof faults

/** In the order of the page. */
export const faultNames = Object.keys(faults) as readonly Fault[]

/** How many servers there are. */
export const serverCount = 10
/** Which of them has the fault. */
export const badServer = 3
/** Requests that a server works on at once; the others wait their turn. */
export const slots = 2
