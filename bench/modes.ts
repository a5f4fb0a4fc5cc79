/** One way of sending a GET and reading its answer to the end, opened in a process of its own. */
export interface Mode {
  /** Sends one request; resolves with the body as text, rejects for anything but a 200. */
  text(path: string): Promise<string>
  /** The same, taking the body as it comes; resolves with its length. */
  stream(path: string): Promise<number>
  /** Runs a load in the surroundings that the mode has in a service. */
  within?<T>(load: () => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** What a mode's file exports. `ports` are those of the upstream on 127.0.0.1, at least three. */
export type OpenMode = (ports: readonly number[]) => Mode | Promise<Mode>

// Loaded only in the process that measures it: importing undici alone already changes what the built-in fetch does.
const files = {
  'pool.dispatch': './mode-pool-dispatch.ts',
  'undici.request': './mode-undici-request.ts',
  'undici.fetch': './mode-undici-fetch.ts',
  'built-in fetch': './mode-built-in-fetch.ts',
  'mesh.fetch': './mode-mesh-fetch.ts',
  'mesh.dispatcher': './mode-mesh-dispatcher.ts',
  'opossum + undici.fetch': './mode-opossum.ts',
  'cockatiel + fetch': './mode-cockatiel.ts',
  'axios': './mode-axios.ts',
  'got': './mode-got.ts',
} as const

export type ModeName = keyof typeof files

/** In the order of the table. */
export const modeNames = Object.keys(files) as readonly ModeName[]

/** Those that every mode is set against. */
export const baselines = ['pool.dispatch', 'undici.request', 'undici.fetch'] as const satisfies readonly ModeName[]

/** Imports one mode and nothing of the others. */
export const openMode = async (name: ModeName, ports: readonly number[]): Promise<Mode> => {
  const { open } = await import(files[name]) as { open: OpenMode }
  return open(ports)
}

/** Refuses an answer that would make a mode look cheap. */
export const expectOk = (status: number): void => {
  if (status !== 200) throw new Error(`The upstream answered ${status} where 200 was expected`)
}

/** Reads a stream to its end; how many bytes it had. */
export const lengthOf = async (chunks: AsyncIterable<Uint8Array>): Promise<number> => {
  let length = 0
  for await (const chunk of chunks) length += chunk.length
  return length
}
