/** The gateway of enmesh that is measured, in a process of its own. Its argument is the port of the service; it sends its own to its parent. */
import type { AddressInfo } from 'node:net'
import { createMesh } from '../../src/index.ts'
import { createGateway } from '../../src/server/index.ts'

const mesh = createMesh({ services: { 'svc.local': [`127.0.0.1:${process.argv[2]}`] } })
const { server } = createGateway(mesh, [{ match: { path: { prefix: '/shop' } }, service: 'svc.local', rewrite: { prefix: '/', host: 'svc.local' } }])
server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port))
process.once('disconnect', () => process.exit())
