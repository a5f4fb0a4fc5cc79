import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppMeshError, readAppMesh, type AppMeshReadOptions, type Fault } from '../../src/app-mesh/index.ts'

/** The faults and warnings of a text, each with its line and column. */
const told = async (file: string, text: string, options: AppMeshReadOptions = {}): Promise<readonly string[]> => {
  const faults = await readAppMesh({ file, text }, options).then(({ warnings }) => warnings, (error: unknown) => {
    assert.ok(error instanceof AppMeshError, String(error))
    return error.faults
  })
  return faults.map(({ line, column, path = '' }: Fault) => `${line}:${column} ${path}`)
}

test('faults of JSON have the line and the column of the name', async () => {
  assert.deepEqual(await told('mesh.json', `{
  "mesh": { "meshName": "shop" },
  "virtualNodes": [
    { "meshName": "shop", "virtualNodeName": "a",
      "spec": { "listeners": [{ "portMapping": { "port": 0, "protocol": "http" } }] } },
    5
  ]
}`), ['5:50 virtualNodes[0].spec.listeners[0].portMapping.port', '6:5 virtualNodes[1]'])
})

test('what is missing has the place of what it is missing from', async () => {
  assert.deepEqual(await told('mesh.json', '{\n  "meshName": "shop",\n  "virtualNodeName": "a"\n}'), ['1:1 spec', 'undefined:undefined '])
})

test('faults of a template stand where they are written, whatever they come to', async () => {
  assert.deepEqual(await told('mesh.yaml', `Resources:
  Mesh:
    Type: AWS::AppMesh::Mesh
    Properties: { MeshName: shop }
  Node:
    Type: AWS::AppMesh::VirtualNode
    Properties:
      MeshName: !GetAtt Mesh.MeshName
      VirtualNodeName: !Sub "\${Nowhere}"
      Spec:
        Listeners:
          - PortMapping: { Port: !Join ["", [7, 0000]], Protocol: http }
`), ['9:7 Resources.Node.Properties.VirtualNodeName', '12:28 Resources.Node.Properties.Spec.Listeners[0].PortMapping.Port'])
})

test('each document of a file of manifests has its own lines, and placeholders do not move them', async () => {
  const manifest = (kind: string, name: string, spec: string): string =>
    `apiVersion: appmesh.k8s.aws/v1beta2\nkind: ${kind}\nmetadata: { name: ${name}, namespace: shop }\nspec:\n  ${spec}\n`
  const text = [
    manifest('Mesh', 'shop', 'namespaceSelector: {}'),
    manifest('VirtualNode', '${NAME}', '# ${NOTE}\n  listeners: [{ portMapping: { port: ${PORT}, protocol: htpt } }]'),
    manifest('VirtualNode', 'b', 'listener: []'),
  ].join('---\n')
  assert.deepEqual(await told('mesh.yaml', text, { parameters: { NAME: 'a-long-name', NOTE: 'two\n  # lines', PORT: '8080' } }), [
    '12:47 spec.listeners[0].portMapping.protocol', '18:3 spec.listener',
  ])
})

test('what is broken has the place where it breaks', async () => {
  assert.deepEqual(await told('mesh.yaml', 'Resources:\n  A: { Type: AWS::AppMesh::Mesh\n  B: 1'), ['3:3 '])
  assert.deepEqual(await told('mesh.json', '{\n  "mesh": { "meshName": "shop", }\n}'), ['2:31 '])
  assert.deepEqual(await told('state.json', '{\n  "format_version": "1.0",\n  "values": secret\n}'), ['3:13 '])
})
