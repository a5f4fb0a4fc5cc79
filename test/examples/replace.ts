/** Loaded with `--import`: has one place of one source file say something else, as a fault of its author's would. */
import { registerHooks } from 'node:module'

const { file, from, to } = JSON.parse(process.env['ENMESH_REPLACE']!) as { file: string, from: string, to: string }

registerHooks({
  load: (url, context, nextLoad) => {
    const loaded = nextLoad(url, context)
    if (!url.endsWith(file)) return loaded
    const source = Buffer.from(loaded.source as Uint8Array).toString()
    if (!source.includes(from)) throw new Error(`${file} no longer has the place that is to be replaced: ${from}`)
    return { ...loaded, source: source.replace(from, to) }
  },
})
