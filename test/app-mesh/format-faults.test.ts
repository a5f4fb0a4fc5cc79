import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readCloudFormation } from '../../src/app-mesh/formats/cloudformation.ts'
import type { Fault, ReadOptions, Source } from '../../src/app-mesh/found.ts'
import type { FormatReader } from '../../src/app-mesh/formats/format.ts'
import { readKubernetes } from '../../src/app-mesh/formats/kubernetes.ts'
import { readTerraform } from '../../src/app-mesh/formats/terraform.ts'

/** What is wrong, the source, where it is said to be (resource and path), and what is said. */
type Case = readonly [what: string, text: string, resource: string | undefined, path: string | RegExp | undefined, message: RegExp, severity?: Fault['severity']]

const refuses = (reader: FormatReader, file: string, cases: readonly Case[], options: ReadOptions = {}): void => {
  for (const [what, text, resource, path, message, severity = 'error'] of cases) {
    test(`${file}: ${what}`, async () => {
      const source: Source = { file, text }
      const { faults, taken } = await reader([source], options)
      assert.ok(taken.has(source))
      const [fault] = faults.filter((one) => one.severity === severity)
      assert.ok(fault, `no ${severity}: ${JSON.stringify(faults)}`)
      assert.equal(faults.filter((one) => one.severity === severity).length, 1, JSON.stringify(faults))
      assert.deepEqual({ file: fault.file, resource: fault.resource }, { file, resource })
      if (path instanceof RegExp) assert.match(fault.path ?? '', path)
      else assert.equal(fault.path, path)
      assert.match(fault.message, message)
    })
  }
}

/** A template with one virtual node, whose properties and further sections are given. */
const template = (properties: string, more = ''): string => `Resources:
  Node:
    Type: AWS::AppMesh::VirtualNode
    Properties:
      MeshName: shop
      VirtualNodeName: pricing
${properties.replace(/^/gm, '      ')}
  Balancer: { Type: AWS::ElasticLoadBalancingV2::LoadBalancer }
  Mesh: { Type: AWS::AppMesh::Mesh, Properties: { MeshName: shop } }
  Off: { Type: AWS::AppMesh::Mesh, Condition: never, Properties: { MeshName: off } }
Parameters:
  Open: { Type: String }
  Stage: { Type: String, AllowedValues: [dev, prod], Default: test }
  Secret: { Type: 'AWS::SSM::Parameter::Value<String>', Default: /shop/name }
Conditions:
  never: !Equals [a, b]
  broken: 3
Mappings: { Ports: { dev: { http: 8080 } } }
${more}`

const hostname = (value: string): string => template(`Spec: { ServiceDiscovery: { DNS: { Hostname: ${value} } } }`)
const place = 'Resources.Node.Properties.Spec.ServiceDiscovery.DNS.Hostname'

refuses(readCloudFormation, 'mesh.yaml', [
  ['a file that is no YAML', 'Resources:\n  A: { Type: AWS::AppMesh::Mesh\n  B: 1', undefined, undefined, /template that can be read: YAML|bracket/],
  ['a name that is there twice', 'Resources:\n  A: { Type: AWS::AppMesh::Mesh }\n  A: { Type: AWS::AppMesh::Mesh }', undefined, undefined, /this name is written twice/],
  ['a template nested too deep', `Resources: { A: { Type: AWS::AppMesh::Mesh, Properties: ${'{ a: '.repeat(120)}1${' }'.repeat(120)} } }`, undefined, undefined, /more than 100 levels deep/],
  ['an alias that stands in itself', 'Resources: &r\n  A: { Type: AWS::AppMesh::Mesh, Properties: { B: *r } }', undefined, undefined, /levels deep|more than 10000|circular/i],
  ['a Ref to nothing', hostname('!Ref Nowhere'), 'Node', place, /"Nowhere", which is neither a parameter nor a resource.*"Open".*"Balancer"/],
  ['a Ref of no text', hostname('!Ref [a]'), 'Node', place, /gives Ref a list/],
  ['a parameter without a value', hostname('!Ref Open'), 'Node', place, /parameter "Open", which has no default: give it by `parameters`, \{ "Open": "…" \}, or by --param Open=…$/],
  ['a parameter with a value that it does not allow', hostname('!Ref Stage'), 'Node', place, /"test" for the parameter "Stage", which allows "dev", "prod"/],
  ['a parameter kept in Systems Manager', hostname('!Ref Secret'), 'Node', place, /kept in Systems Manager: give it by `parameters`, \{ "Secret"/],
  ['a pseudo parameter of a deployment', hostname('!Sub "pricing.${AWS::Region}.internal"'), 'Node', place, /AWS::Region, which only a deployment knows: give it by `parameters`, \{ "AWS::Region"/],
  ['a Ref to a resource of another service', hostname('!Ref Balancer'), 'Node', place, /what Ref gives of "Balancer" \(AWS::ElasticLoadBalancingV2::LoadBalancer\).*\{ "Balancer": "…" \}/],
  ['an attribute of a resource of another service', hostname('!GetAtt Balancer.DNSName'), 'Node', place, /attribute DNSName of "Balancer".*\{ "Balancer\.DNSName": "…" \}/],
  ['an attribute of nothing', hostname('!GetAtt Nowhere.Name'), 'Node', place, /"Nowhere", which is no resource of this template/],
  ['an attribute that a resource does not have', hostname('!GetAtt Mesh.VirtualNodeName'), 'Node', place, /"VirtualNodeName" of "Mesh" \(AWS::AppMesh::Mesh\), which has "MeshName", "Arn"/],
  ['an attribute that only App Mesh knew', hostname('!GetAtt Mesh.Uid'), 'Node', place, /attribute Uid of "Mesh"/],
  ['GetAtt without an attribute', hostname('!GetAtt Mesh'), 'Node', place, /write LogicalId\.Attribute/],
  ['a Ref to a resource that its condition leaves out', hostname('!GetAtt Off.MeshName'), 'Node', place, /"Off", whose Condition does not hold/],
  ['a variable of Sub that is nothing', hostname('!Sub "${Nowhere}.local"'), 'Node', place, /"Nowhere", which is neither/],
  ['a Sub of a list of one', hostname('!Sub ["a"]'), 'Node', `${place}.!Sub`, /a list of 1: write a text, or \[text/],
  ['variables of Sub that are no object', hostname('!Sub ["a", "b"]'), 'Node', `${place}.!Sub[1]`, /a text as its variables/],
  ['Join without values', hostname('!Join ["."]'), 'Node', `${place}.!Join`, /a list of 1: write \[delimiter, \[values\]\]/],
  ['Join of an object', hostname('!Join [".", [{ a: b }]]'), 'Node', `${place}.!Join[1][0]`, /gives Fn::Join an object to join/],
  ['Select beyond the end', hostname('!Select [2, [a, b]]'), 'Node', place, /item 2 of a list of 2: the first is 0/],
  ['Select out of a text', hostname('!Select [0, a]'), 'Node', `${place}.!Select[1]`, /gives Fn::Select a text: write a list/],
  ['Split of one', hostname('!Select [0, !Split [a]]'), 'Node', `${place}.!Select[1].!Split`, /a list of 1: write \[delimiter, text\]/],
  ['If with a condition that is not there', hostname('!If [sometimes, a, b]'), 'Node', `${place}.!If[0]`, /"sometimes", which this template does not have; it has "never", "broken"/],
  ['If without its second value', hostname('!If [never, a]'), 'Node', `${place}.!If`, /a list of 2: write \[condition/],
  ['a condition that is none', hostname('!If [broken, a, b]'), 'Node', 'Conditions.broken', /is no condition: write Fn::Equals/],
  ['a type that only JavaScript knows', template('', '').replace('AWS::AppMesh::VirtualNode', 'AWS::AppMesh::constructor'), 'Node', 'Resources.Node.Type', /"AWS::AppMesh::constructor", and App Mesh has/],
  ['a map made of itself', hostname('!FindInMap [Ports, self, http]').replace('{ Ports: {', '{ Ports: { self: { http: !FindInMap [Ports, self, http] },'), 'Node', 'Mappings.Ports.self.http', /Mappings\.Ports\.self\.http, which is made of itself/],
  ['an export whose name is made of itself', template('Spec: { ServiceDiscovery: { DNS: { Hostname: !ImportValue host } } }', 'Outputs: { O: { Value: a, Export: { Name: !ImportValue host } } }'), 'Node', place, /imports "host", which no template/],
  ['conditions without end', hostname('!If [c0, a, b]').replace('Conditions:\n', `Conditions:\n${Array.from({ length: 3_000 }, (_, at) => `  c${at}: !Not [!Condition c${at + 1}]\n`).join('')}`), 'Node', /^Conditions\.c\d+/, /at the end of more than 50 things/],
  ['a text that grows by what stands between', hostname(`!Join [${'x'.repeat(2_000)}, [${'a, '.repeat(2_000)}b]]`), 'Node', place, /a text of more than 100000 characters/],
  ['a list of thousands', hostname(`!Select [0, !Split ['a', ${'a'.repeat(5_000)}]]`), 'Node', `${place}.!Select[1]`, /a list of more than 1000 texts/],
  ['a value that is not to be echoed', hostname('!Ref Quiet').replace('Parameters:\n', 'Parameters:\n  Quiet: { Type: String, NoEcho: true, AllowedValues: [a], Default: hunter2 }\n'), 'Node', place, /^has another value for the parameter "Quiet", which allows "a"$/],
  ['a map that is not there', hostname('!FindInMap [Ports, prod, http]'), 'Node', place, /looks for Mappings\.Ports\.prod\.http/],
  ['an import that nobody exports', hostname('!ImportValue shop-host'), 'Node', place, /imports "shop-host", which no template that is read exports/],
  ['a function of CloudFormation alone', hostname('!GetAZs eu-west-1'), 'Node', place, /calls Fn::GetAZs, which only CloudFormation can do/],
  ['a part that no resource has', template('Spec: {}', '').replace('    Properties:\n', '    Propertie: {}\n    Properties:\n'), 'Node', 'Resources.Node.Propertie', /is no part of a resource: did you mean 'Properties'/],
  ['a resource without a type', template('Spec: {}').replace('  Balancer:', '  Empty:\n  Balancer:'), 'Empty', 'Resources.Empty', /has no Type/],
  ['a type in other letters', template('Spec: {}').replace('AWS::AppMesh::VirtualNode', 'aws::appmesh::virtualnode'), 'Node', 'Resources.Node.Type', /"aws::appmesh::virtualnode", and App Mesh has/],
  ['resources that are a list', 'AWSTemplateFormatVersion: 2010-09-09\nResources: []', undefined, 'Resources', /is a list: write resources by their logical ids/],
  ['a macro', template('Spec: { Fn::Transform: { Name: AWS::Include } }'), 'Node', 'Resources.Node.Properties.Spec', /calls Fn::Transform/],
  ['a null', template('Spec: { ServiceDiscovery: }'), 'Node', 'Resources.Node.Properties.Spec.ServiceDiscovery', /is null, which CloudFormation refuses/],
  ['one name in two spellings', template('Spec: {}\nspec: {}'), 'Node', 'Resources.Node.Properties.spec', /says a second time what Resources\.Node\.Properties\.Spec says/],
  ['an object where a text is put together', hostname('!Sub ["${a}", { a: { b: c } }]'), 'Node', place, /puts an object into the text with \$\{a\}/],
  ['a text that grows without end', `Resources:\n${Array.from({ length: 20 }, (_, at) => `  M${at}: { Type: AWS::ServiceDiscovery::Service, Properties: { Name: ${at === 0 ? 'abcd' : `!Sub "\${M${at - 1}.Name}\${M${at - 1}.Name}"`} } }\n`).join('')}  Mesh: { Type: AWS::AppMesh::Mesh, Properties: { MeshName: !GetAtt M19.Name } }`, 'Mesh', 'Resources.M15.Properties.Name', /comes to a text of more than 100000 characters/],
  ['a resource whose name is made of itself', 'Resources:\n  A:\n    Type: AWS::AppMesh::Mesh\n    Properties: { MeshName: !GetAtt A.MeshName }', 'A', 'Resources.A.Properties.MeshName', /made of itself/],
  ['a type that App Mesh does not have', 'Resources:\n  A: { Type: AWS::AppMesh::VirtualPod }', 'A', 'Resources.A.Type', /"AWS::AppMesh::VirtualPod", and App Mesh has/],
  ['a loop', 'Resources:\n  Fn::ForEach::Nodes: [a, [b], {}]\n  A: { Type: AWS::AppMesh::Mesh, Properties: { MeshName: a } }', 'Fn::ForEach::Nodes', 'Resources.Fn::ForEach::Nodes', /uses Fn::ForEach, which only CloudFormation can do/],
  ['properties that are a list', 'Resources:\n  A: { Type: AWS::AppMesh::VirtualService, Properties: [] }', 'A', 'Resources.A.Properties', /is a list: write the properties as an object/],
  ['a Condition of the resource that is not there', 'Resources:\n  A: { Type: AWS::AppMesh::Mesh, Condition: x, Properties: { MeshName: a } }', 'A', 'Resources.A.Condition', /"x", which this template does not have; it has none/],
  ['a resource without a name', 'Resources:\n  A: { Type: AWS::AppMesh::Mesh }', 'A', 'Resources.A.Properties', /has no MeshName.*it is called "A" here/, 'warning'],
  ['an ARN where a name is meant', 'Resources:\n  M: { Type: AWS::AppMesh::Mesh, Properties: { MeshName: shop } }\n  R: { Type: AWS::AppMesh::VirtualRouter, Properties: { VirtualRouterName: r, MeshName: !Ref M } }', 'R', 'Resources.R.Properties.MeshName', /is an ARN.*read as "shop"/, 'warning'],
  ['initials in small letters', template('Spec: { ServiceDiscovery: { Dns: { Hostname: a } } }'), 'Node', 'Resources.Node.Properties.Spec.ServiceDiscovery.Dns', /is called DNS in CloudFormation/, 'warning'],
])

const manifest = (kind: string, spec: string, name = 'pricing'): string =>
  `apiVersion: appmesh.k8s.aws/v1beta2\nkind: ${kind}\nmetadata: { name: ${name}, namespace: shop }\nspec: ${spec}\n`
const mesh = '---\napiVersion: appmesh.k8s.aws/v1beta2\nkind: Mesh\nmetadata: { name: shop }\nspec: { namespaceSelector: {} }\n'
const old = (kind: string, spec: string): string =>
  `apiVersion: appmesh.k8s.aws/v1beta1\nkind: ${kind}\nmetadata: { name: pricing, namespace: shop }\nspec: ${spec}\n`
const router = (routes: string): string => manifest('VirtualRouter', `{ routes: ${routes} }`) + mesh

refuses(readKubernetes, 'manifest.yaml', [
  ['a file that is no YAML', 'apiVersion: appmesh.k8s.aws/v1beta2\nkind: Mesh\nmetadata: { name: a', undefined, undefined, /no manifest that can be read: is indented.*or a bracket before it is not closed/],
  ['a tag', manifest('VirtualNode', '!local {}') + mesh, undefined, undefined, /tags \(!…\) have no meaning here/],
  ['an alias of nothing', manifest('VirtualNode', '*a') + mesh, undefined, undefined, /anchor|alias/i],
  ['a name that is no text', manifest('VirtualNode', '{ [a]: b }') + mesh, undefined, undefined, /a name is plain text/],
  ['a kind that the controller does not have', manifest('VirtualPod', '{}'), 'VirtualPod shop/pricing', 'kind', /"VirtualPod", and App Mesh has Mesh, VirtualService/],
  ['a version that the controller does not have', manifest('VirtualNode', '{}').replace('v1beta2', 'v1'), 'VirtualNode shop/pricing', 'apiVersion', /"appmesh\.k8s\.aws\/v1", and .*v1beta2 and .*v1beta1 can be read/],
  ['a placeholder in a value', manifest('VirtualNode', '{ serviceDiscovery: { dns: { hostname: "${HOST}" } } }') + mesh, 'VirtualNode pricing', 'spec.serviceDiscovery.dns.hostname', /has \$\{HOST\}, and no value for it was given: give it by `parameters`, \{ "HOST": "…" \}/],
  ['a manifest without a name', 'apiVersion: appmesh.k8s.aws/v1beta2\nkind: Mesh\nmetadata: {}', 'Mesh', 'metadata', /has no name that is a text: write metadata\.name/],
  ['a placeholder in a name', manifest('VirtualNode', '{}', '"${NAME}-v1"') + mesh, 'VirtualNode ${NAME}-v1', 'metadata.name', /has \$\{NAME\}/],
  ['a placeholder in place of a list', manifest('VirtualNode', '{ listeners: [${LISTENERS}] }') + mesh, 'VirtualNode pricing', 'spec.listeners[0]', /has \$\{LISTENERS\}/],
  ['a placeholder of a template', manifest('VirtualNode', '{ serviceDiscovery: { dns: { hostname: "{{ .Values.host }}" } } }') + mesh, 'VirtualNode pricing', 'spec.serviceDiscovery.dns.hostname', /has \{\{ \.Values\.host \}\}.*\{ "Values\.host"/],
  ['a spec that is a list', manifest('VirtualNode', '[]') + mesh, 'VirtualNode shop/pricing', 'spec', /is a list: write the spec as an object/],
  ['a document that is no manifest', manifest('VirtualNode', '{}') + mesh + '---\nhello\n', undefined, undefined, /this document is no manifest.*it is left out/, 'warning'],
  ['a manifest without a kind', manifest('VirtualNode', '{}') + mesh + '---\napiVersion: appmesh.k8s.aws/v1beta2\nmetadata: { name: a }\n', undefined, undefined, /this document is no manifest/],
  ['a reference without a name', manifest('VirtualService', '{ provider: { virtualNode: { virtualNodeRef: { namespace: shop } } } }') + mesh, 'VirtualService shop/pricing', 'spec.provider.virtualNode.virtualNodeRef', /a reference without a name/],
  ['a reference that is a text', manifest('VirtualService', '{ provider: { virtualRouter: { virtualRouterRef: pricing } } }') + mesh, 'VirtualService shop/pricing', 'spec.provider.virtualRouter.virtualRouterRef', /is a text: write \{ name: …/],
  ['routes that are no list', router('{}'), 'VirtualRouter shop/pricing', 'spec.routes', /is an object: write a list of routes/],
  ['a route that is a text', router('[a]'), 'VirtualRouter shop/pricing', 'spec.routes[0]', /is a text: write \{ name: …/],
  ['a group of backends that is not there', manifest('VirtualNode', '{ backendGroups: [{ name: all }] }') + mesh, 'VirtualNode shop/pricing', 'spec.backendGroups[0]', /BackendGroup shop\/all, which is not among the files/],
  ['a group of backends that is a text', manifest('VirtualNode', '{ backendGroups: [all] }') + mesh, 'VirtualNode shop/pricing', 'spec.backendGroups[0]', /is a text: write \{ name/],
  ['a gateway route of no gateway', manifest('GatewayRoute', '{}') + mesh, 'GatewayRoute shop/pricing', 'metadata', /belongs to no virtual gateway: add the VirtualGateway/],
  ['a gateway route of two gateways', `${manifest('GatewayRoute', '{}')}---\n${manifest('VirtualGateway', '{ namespaceSelector: {} }', 'a')}---\n${manifest('VirtualGateway', '{ namespaceSelector: {} }', 'b')}${mesh}`, 'GatewayRoute shop/pricing', 'metadata', /"VirtualGateway shop\/a", "VirtualGateway shop\/b" all select/],
  ['a namespace that no mesh selects', `${manifest('VirtualNode', '{}')}---\napiVersion: v1\nkind: Namespace\nmetadata: { name: shop, labels: { mesh: other } }\n${mesh.replace('{}', '{ matchLabels: { mesh: shop } }')}`, 'VirtualNode shop/pricing', 'metadata', /namespaceSelector of "Mesh shop" does not select: label the Namespace/],
  ['two meshes and no namespace to tell', `${manifest('VirtualNode', '{}')}${mesh.replace('{}', '{ matchLabels: { mesh: shop } }')}${mesh.replace('{ name: shop }', '{ name: other }').replace('{}', '{ matchLabels: { mesh: other } }')}`, 'VirtualNode shop/pricing', 'metadata', /"shop", which is not among the files, so that .* cannot be applied: add the Namespace/],
  ['two meshes that both select', `${manifest('VirtualNode', '{}')}${mesh}${mesh.replace('{ name: shop }', '{ name: other }')}`, 'VirtualNode shop/pricing', 'metadata', /"Mesh shop", "Mesh other" all select/],
  ['a reference to a mesh without a name', manifest('VirtualNode', '{ meshRef: {} }') + mesh, 'VirtualNode shop/pricing', 'spec.meshRef', /a reference without a name/],
  ['a field that the API leaves out', manifest('VirtualNode', '{ listener: [] }') + mesh, 'VirtualNode shop/pricing', 'spec.listener', /is no field of a VirtualNode here/, 'warning'],
  ['an ARN that is none', manifest('VirtualNode', '{ backends: [{ virtualService: { virtualServiceARN: tax } }] }') + mesh, 'VirtualNode shop/pricing', 'spec.backends[0].virtualService.virtualServiceARN', /is no ARN of App Mesh.*read as the name "tax"/, 'warning'],
  ['no mesh at all', manifest('VirtualNode', '{}'), 'VirtualNode shop/pricing', 'metadata', /no Mesh is among the files/, 'warning'],
  ['a namespace that is not there', manifest('VirtualNode', '{}') + mesh.replace('{}', '{ matchLabels: { mesh: shop } }'), 'VirtualNode shop/pricing', 'metadata', /"shop", which is not among the files: all in it is taken to belong to the only Mesh, "shop"/, 'warning'],
  ['an object that is declared twice', manifest('VirtualNode', '{}') + mesh + mesh, 'Mesh shop', undefined, /declared again in manifest\.yaml, and the later counts/, 'warning'],
  ['v1beta1: a kind of the later version', old('VirtualRouter', '{}'), 'VirtualRouter shop/pricing', 'kind', /"VirtualRouter", and v1beta1 has Mesh, VirtualNode and VirtualService/],
  ['v1beta1: a spec that is a text', old('VirtualNode', 'a'), 'VirtualNode shop/pricing', 'spec', /is a text: write the spec as an object/],
  ['v1beta1: routes that are no list', old('VirtualService', '{ meshName: shop, routes: {} }'), 'VirtualService shop/pricing', 'spec.routes', /write a list of routes/],
  ['v1beta1: a route that is a number', old('VirtualService', '{ meshName: shop, routes: [1] }'), 'VirtualService shop/pricing', 'spec.routes[0]', /is a number: write \{ name: …, http/],
  ['v1beta1: a router that is a text', old('VirtualService', '{ meshName: shop, virtualRouter: r }'), 'VirtualService shop/pricing', 'spec.virtualRouter', /is a text: write \{ name: …, listeners/],
  ['v1beta1: a field of the later version', old('VirtualNode', '{ meshName: shop, podSelector: {} }'), 'VirtualNode shop/pricing', 'spec.podSelector', /is no field of a VirtualNode here: the controller takes no notice/, 'warning'],
])

const configured = (name: string, more = ''): string => `resource "aws_appmesh_mesh" "m" {\n  name = ${name}\n}\n${more}`
const nodeWith = (hostname: string, more = ''): string => `
resource "aws_appmesh_virtual_node" "n" {
  name      = "pricing"
  mesh_name = "shop"
  spec {
    service_discovery {
      dns {
        hostname = ${hostname}
      }
    }
  }
}
resource "aws_lb" "main" {
  name = "main"
}
variable "open" {}
locals {
  one = "1"
  list = ["a", "b"]
  self = local.self
}
${more}`
/** Locals of which each is made of the next twice over. */
const twice = (of: (inner: string) => string, innermost: string): string =>
  `locals {\n${Array.from({ length: 40 }, (_, at) => `  l${at} = ${of(`local.l${at + 1}`)}\n`).join('')}  l40 = ${innermost}\n}\n`

const dns = 'spec.service_discovery.dns.hostname'
const n = 'aws_appmesh_virtual_node.n'

refuses(readTerraform, 'main.tf', [
  ['a file that is not in its language', 'resource "a" {', undefined, undefined, /main\.tf:1,1[45]/],
  ['a variable without a value', nodeWith('var.open'), n, dns, /variable "open", which has no default: give it by `variables`, \{ "open": … \}, or by --var open=…$/],
  ['a word that is no value', nodeWith('pricing'), n, dns, /names pricing, which is no value/],
  ['a variable that nobody declares', nodeWith('var.nowhere'), n, dns, /var\.nowhere, which no file of this directory declares; it has "open"/],
  ['a local that nobody declares', nodeWith('local.nowhere'), n, dns, /local\.nowhere.*it has "list", "one", "self"/],
  ['a local made of itself', nodeWith('local.self'), n, dns, /local\.self, which is made of itself/],
  ['what only an apply knows', nodeWith('aws_lb.main.dns_name'), n, dns, /aws_lb\.main\.dns_name, which is known after an apply only.*terraform show -json.*\{ "aws_lb\.main\.dns_name": … \}/],
  ['the id of a node', nodeWith('aws_appmesh_virtual_node.o.id', 'resource "aws_appmesh_virtual_node" "o" {\n  name = "o"\n}'), n, dns, /write aws_appmesh_virtual_node\.o\.name, which App Mesh wants/],
  ['a resource that is not there', nodeWith('aws_appmesh_mesh.nowhere.name'), n, dns, /no file of this directory has aws_appmesh_mesh\.nowhere/],
  ['data that is not there', nodeWith('data.aws_lb.x.dns_name'), n, dns, /no file of this directory has data\.aws_lb\.x/],
  ['data that only AWS knows', nodeWith('data.aws_lb.x.dns_name', 'data "aws_lb" "x" {\n  name = "x"\n}'), n, dns, /data\.aws_lb\.x\.dns_name, which is known after an apply only/],
  ['a module that nobody calls', nodeWith('module.x.host'), n, dns, /module\.x, which no file of this directory calls/],
  ['a function of Terraform alone', nodeWith('file("host.txt")'), n, dns, /calls file\(\), which only Terraform can do/],
  ['a function with a wrong value', nodeWith('upper(local.list)'), n, dns, /needs a text for upper, and gets a list/],
  ['a regular expression to replace', nodeWith('replace("a", "/a/", "b")'), n, dns, /replace\(\) with a regular expression/],
  ['an index beyond the end', nodeWith('local.list[5]'), n, dns, /for "5", which a list there does not have/],
  ['a key that is not there', nodeWith('{ a = "b" }["c"]'), n, dns, /for "c", which an object there does not have/],
  ['an element of nothing', nodeWith('element([], 0)'), n, dns, /an element of an empty list/],
  ['a lookup of nothing', nodeWith('lookup({}, "a")'), n, dns, /looks up "a", which the map does not have/],
  ['a list in a text', nodeWith('"${local.list}-x"'), n, dns, /needs a text for \$\{local\.list\}, and gets a list/],
  ['a directive', nodeWith('"%{ if true }a%{ endif }"'), n, dns, /%\{ … \} directive/],
  ['the workspace', nodeWith('terraform.workspace'), n, dns, /terraform\.workspace, which is not known here.*\{ "terraform\.workspace": … \}/],
  ['each without for_each', nodeWith('each.key'), n, dns, /each\.key, which is not known here/],
  ['a resource as a whole', nodeWith('aws_lb.main'), n, dns, /names a resource as a whole/],
  ['a condition that is none', nodeWith('"a" ? "b" : "c"'), n, dns, /needs true or false for the condition, and gets a text/],
  ['a count that only an apply knows', configured('"shop"').replace('{\n', '{\n  count = aws_lb.main.count\n'), 'aws_appmesh_mesh.m', 'count', /no file of this directory has aws_lb\.main/],
  ['a negative count', configured('"shop"').replace('{\n', '{\n  count = -1\n'), 'aws_appmesh_mesh.m', 'count', /makes -1 of it with count: 0 to 1000/],
  ['for_each over a text', configured('"shop"').replace('{\n', '{\n  for_each = "a"\n'), 'aws_appmesh_mesh.m', 'for_each', /goes through a text with for_each: it takes a map or a set/],
  ['dynamic over what is not known', 'resource "aws_appmesh_virtual_node" "n" {\n  name = "a"\n  mesh_name = "b"\n  spec {\n    dynamic "backend" {\n      for_each = var.x\n      content {}\n    }\n  }\n}', n, 'spec.backend', /var\.x, which no file/],
  ['a block that is there twice', 'resource "aws_appmesh_mesh" "m" {\n  name = "a"\n  spec {}\n  spec {}\n}', 'aws_appmesh_mesh.m', 'spec', /is there 2 times, and App Mesh has one/],
  ['a type that App Mesh does not have', 'resource "aws_appmesh_virtual_pod" "p" {\n  name = "a"\n}', 'aws_appmesh_virtual_pod.p', undefined, /"aws_appmesh_virtual_pod", and App Mesh has aws_appmesh_mesh/],
  ['a text that grows without end', nodeWith('local.l20', `locals {\n  l0 = "abcd"\n${Array.from({ length: 20 }, (_, at) => `  l${at + 1} = "\${local.l${at}}\${local.l${at}}"\n`).join('')}}\n`), n, dns, /comes to a text of more than 100000 characters/],
  ['a list that grows without end', nodeWith('local.l0[0]', twice((inner) => `concat(${inner}, ${inner})`, '["a", "b"]')), n, dns, /comes to more than a definition can be/],
  ['an object that grows without end', nodeWith('local.l0', twice((inner) => `[${inner}, ${inner}]`, '["a", "b"]')), n, dns, /comes to more than a definition can be/],
  ['a text that format makes grow', nodeWith('local.l0', twice((inner) => `format("%s%s", ${inner}, ${inner})`, '"a"')), n, dns, /a text of more than 100000 characters/],
  ['a text that join makes grow', nodeWith('local.l0', twice((inner) => `join("", [${inner}, ${inner}])`, '"a"')), n, dns, /a text of more than 100000 characters/],
  ['a text that replace makes grow', nodeWith('local.l0', twice((inner) => `replace(${inner}, "a", "aa")`, '"a"')), n, dns, /a text of more than 100000 characters/],
  ['a number of many digits', nodeWith('format("%0999999999d", 1)'), n, dns, /a text of more than 100000 characters/],
  ['lists in lists in lists', nodeWith('length([for a in range(1000) : [for b in range(1000) : [for c in range(1000) : c if false]]])'), n, dns, /takes too much to evaluate/],
  ['locals made of one another without end', nodeWith('local.l0', `locals {\n${Array.from({ length: 5_000 }, (_, at) => `  l${at} = local.l${at + 1}\n`).join('')}  l5000 = "a"\n}\n`), n, dns, /made of too many things/],
  ['a division by 0', nodeWith('1 / 0'), n, dns, /divides by 0/],
  ['an element at no place', nodeWith('element(["a"], 0.5)'), n, dns, /no whole number/],
  ['an expression of many operators', nodeWith(`${'1 + '.repeat(3_000)}1`), undefined, undefined, /nested too deep/],
  ['an expression of many signs', nodeWith(`${'!'.repeat(3_000)}true`), undefined, undefined, /nested too deep/],
  ['for_each over itself', configured('"shop"').replace('{\n', '{\n  for_each = aws_appmesh_mesh.m\n'), 'aws_appmesh_mesh.m', 'for_each', /how many aws_appmesh_mesh\.m there are, which is made of itself/],
  ['a count of itself', configured('"shop"').replace('{\n', '{\n  count = length(aws_appmesh_mesh.m)\n'), 'aws_appmesh_mesh.m', 'count', /made of itself/],
  ['a module that calls itself', configured('"shop"', 'module "again" {\n  source = "./"\n}'), 'module.again', 'source', /a module that it stands in itself/],
  ['a resource that is there twice', configured('"a"') + configured('"b"'), 'aws_appmesh_mesh.m', undefined, /is declared already in this file/],
  ['a local that is there twice', nodeWith('local.one', 'locals {\n  one = "2"\n}'), 'local.one', undefined, /is declared already in this file/],
  ['a file nested too deep', `locals {\n  x = ${'['.repeat(200)}${']'.repeat(200)}\n}`, undefined, undefined, /nested too deep/],
  ['too few values for format', nodeWith('format("%s.%s", "a")'), n, dns, /too few values for format/],
  ['a priority of 0', 'resource "aws_appmesh_route" "r" {\n  name = "a"\n  spec {\n    priority = 0\n  }\n}', 'aws_appmesh_route.r', 'spec.priority', /is 0, which Terraform's provider takes for not set/, 'warning'],
  ['a module whose files are not there', configured('"a"', 'module "net" {\n  source = "./net"\n}'), 'module.net', 'source', /files are not among those read/, 'warning'],
])

refuses(readTerraform, 'main.tf.json', [
  ['a name that is there twice', '{ "resource": { "aws_appmesh_mesh": { "m": { "name": "a" }, "m": { "name": "b" } } } }', undefined, undefined, /this name is written twice/],
  ['a broken file, of which nothing is repeated', '{ "secret": hunter2 }', undefined, undefined, /^is not written in Terraform's language: expected a value$/],
])

const state = (resources: unknown): string => JSON.stringify({ format_version: '1.0', values: { root_module: { resources } } })

refuses(readTerraform, 'state.json', [
  ['a state that is broken', '{ "format_version": "1.0", ', undefined, undefined, /is no state or plan that can be read/],
  ['a broken state, of which nothing is repeated', '{ "format_version": "1.0", "password": hunter2 }', undefined, undefined, /^is no state or plan that can be read: expected a value$/],
  ['a state from long ago', '{ "version": 3, "terraform_version": "0.11.14", "modules": [] }', undefined, 'version', /is 3, from before Terraform 0\.12/],
  ['a type that App Mesh does not have', state([{ address: 'aws_appmesh_x.y', mode: 'managed', type: 'aws_appmesh_x', values: {} }]), 'aws_appmesh_x.y', undefined, /"aws_appmesh_x"/],
  ['a block that is there twice', state([{ address: 'aws_appmesh_mesh.m', mode: 'managed', type: 'aws_appmesh_mesh', values: { name: 'a', spec: [{}, {}] } }]), 'aws_appmesh_mesh.m', 'spec', /is there 2 times/],
  ['a state nested too deep', `{"format_version":"1","values":{"root_module":{"resources":[{"mode":"managed","type":"aws_appmesh_mesh","address":"m","values":{"spec":${'['.repeat(50_000)}${']'.repeat(50_000)}}}]}}}`, undefined, undefined, /is no state or plan that can be read/],
  ['a plan that does not know a name', JSON.stringify({
    format_version: '1.2',
    planned_values: { root_module: { resources: [{ address: 'aws_appmesh_virtual_node.n', mode: 'managed', type: 'aws_appmesh_virtual_node', values: { name: 'n' } }] } },
    resource_changes: [{ address: 'aws_appmesh_virtual_node.n', change: { after_unknown: { mesh_name: true, id: true } } }],
    configuration: { root_module: { resources: [{ address: 'aws_appmesh_virtual_node.n', expressions: { mesh_name: { references: ['aws_ssm_parameter.mesh.value', 'aws_ssm_parameter.mesh'] } } }] } },
  }), 'aws_appmesh_virtual_node.n', 'mesh_name', /needs aws_ssm_parameter\.mesh\.value, which is known after the apply only/],
])
