import { register } from './register.ts'

/**
 * The mesh that carries this process's `fetch` and its calls of undici, as the file in `ENMESH_CONFIG` says.
 * Made when this module is loaded, best by `node --import enmesh/register app.js`; whoever imports it afterwards gets the same one.
 */
export const mesh = await register(process.env)
