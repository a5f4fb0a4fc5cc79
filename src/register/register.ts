import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { resolve } from 'node:path'
import { isMainThread } from 'node:worker_threads'
import { loadConfig } from '../config-file/load.ts'
import type { Environment } from '../config-file/substitute.ts'
import { watchConfig } from '../config-file/watch.ts'
import { MeshConfigError } from '../core/errors.ts'
import { createMesh, type Mesh } from '../mesh/mesh.ts'
import { fetchThrough, setProcessDispatcher, settleProcessDispatcher, displacedBy } from '../transport/dispatcher/process-dispatcher.ts'
import { briefly, changesIn, inventory, reportTo, type Report } from './report.ts'

/**
 * Meshes this process: makes a mesh as the file in `ENMESH_CONFIG` says, keeps it as the file says from then on, and puts it in the place of
 * the process's dispatcher. Hosts that are no services go to the dispatcher that was there before, or that the application sets later.
 *
 * With `ENMESH_QUIET` only faults are told. Without a configuration that can be used the process ends with exit code 1, since an
 * application must not run half-meshed; a worker thread fails with the error instead.
 */
export const register = async (env: Environment): Promise<Mesh> => {
  const report = reportTo(Boolean(env['ENMESH_QUIET']))
  try {
    return await start(env['ENMESH_CONFIG'], report)
  } catch (error) {
    if (!isMainThread) throw error
    report.fault(error instanceof MeshConfigError ? error.message : String(error))
    process.exit(1)
  }
}

const start = async (file: string | undefined, report: Report): Promise<Mesh> => {
  if (!file) {
    throw new MeshConfigError([{
      path: 'ENMESH_CONFIG', message: 'is not set: write the path of the mesh\'s configuration into it, ENMESH_CONFIG=mesh.yaml for instance',
    }])
  }
  // The application may change its working directory later.
  const path = resolve(file)
  const config = await loadConfig(file)
  settleProcessDispatcher()
  const mesh = createMesh(config)
  takeOver(mesh, report)
  report.note(`${inventory(mesh)} from ${file}`)
  mesh.on('config-applied', (changes) => report.note(`${file} applied: ${changesIn(changes)}`))
  mesh.on('config-rejected', ({ error }) => report.fault(`${file} rejected, the configuration in use stays: ${briefly(error)}`))
  watchConfig(mesh, path)
  return mesh
}

const takeOver = ({ dispatcher }: Mesh, { note }: Report): void => {
  setProcessDispatcher(dispatcher)
  globalThis.fetch = fetchThrough(dispatcher)
  const look = (): void => {
    const other = displacedBy(dispatcher)
    if (!other) return
    unsubscribe('undici:request:create', look)
    note(`the application has set a global dispatcher of its own (${other.constructor.name}): its fetch goes through the mesh as before, ` +
      'but calls of the undici package do so only if they are given the mesh\'s dispatcher')
  }
  subscribe('undici:request:create', look)
}
