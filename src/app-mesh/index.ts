export type { AppMeshDocument, GatewayRoute, Route, VirtualGateway, VirtualNode, VirtualRouter, VirtualService } from './document.ts'
export { AppMeshError } from './error.ts'
export type { Fault, ReadOptions, Source } from './found.ts'
export { readAppMesh, type AppMeshReading, type AppMeshReadOptions, type AppMeshSource } from './read.ts'
