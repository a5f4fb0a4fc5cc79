import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import type { Found, ReadOptions, Source } from '../../src/app-mesh/found.ts'
import { readTerraform, terraformReader } from '../../src/app-mesh/formats/terraform.ts'
import { root, runNode } from '../support/child.ts'

const read = async (sources: readonly Source[], variables: ReadOptions['variables'] = {}): Promise<readonly Found[]> => {
  const { found, faults, taken } = await readTerraform(sources, { variables })
  assert.deepEqual(faults, [])
  assert.equal(taken.size, sources.length)
  return found
}

/** What a hostname written in Terraform's language comes to. */
const hostname = async (written: string, variables?: ReadOptions['variables']): Promise<unknown> => {
  const found = await read([{ file: 'main.tf', text: `
variable "domain" {
  type    = string
  default = "shop.local"
}
variable "ports" {
  default = { pricing = 8080, tax = 9090 }
}
locals {
  stage = "dev"
  hosts = ["a.\${var.domain}", "b.\${var.domain}"]
  empty = null
}
locals {
  name = "pricing-\${local.stage}"
}
resource "aws_appmesh_mesh" "shop" {
  name = "shop"
}
resource "aws_appmesh_virtual_router" "router" {
  for_each  = toset(["a", "b"])
  name      = "router-\${each.value}"
  mesh_name = aws_appmesh_mesh.shop.id
}
resource "aws_service_discovery_private_dns_namespace" "main" {
  count = 2
  name  = "ns\${count.index}.\${var.domain}"
}
data "aws_appmesh_mesh" "other" {
  name = "other"
}
resource "aws_appmesh_virtual_node" "n" {
  name      = "n"
  mesh_name = "shop"
  spec {
    service_discovery {
      dns {
        hostname = ${written}
      }
    }
  }
}
` }], variables)
  const [{ body }] = found.filter(({ resource }) => resource === 'aws_appmesh_virtual_node.n') as [Found]
  return (body as { spec: { serviceDiscovery: { dns: { hostname: unknown } } } }).spec.serviceDiscovery.dns.hostname
}

const table: readonly (readonly [written: string, expected: string, variables?: ReadOptions['variables']])[] = [
  ['"pricing.internal"', 'pricing.internal'],
  ['var.domain', 'shop.local'],
  ['var.domain', 'other.local', { domain: 'other.local' }],
  ['"${local.name}.${var.domain}"', 'pricing-dev.shop.local'],
  ['"$${literal}-%%{x}-\\"q\\""', '${literal}-%{x}-"q"'],
  ['<<EOT\n${local.stage}.x\nEOT', 'dev.x\n'],
  ['local.hosts[1]', 'b.shop.local'],
  ['"${var.ports["tax"]}"', '9090'],
  ['var.ports.pricing', '8080'],
  ['local.stage == "prod" ? "p" : "d"', 'd'],
  ['local.stage != "prod" && !(1 > 2) || false ? "p" : "d"', 'p'],
  ['"x${(1 + 2) * 3 - 4 / 2 % 2}"', 'x9'],
  ['"x${-1}"', 'x-1'],
  ['upper("${lower("ABC")}-d")', 'ABC-D'],
  ['join(".", ["a", "b"])', 'a.b'],
  ['join("-", [for k, v in var.ports : "${k}${v}" if v > 8080])', 'tax9090'],
  ['{ for h in local.hosts : upper(h) => h }["A.SHOP.LOCAL"]', 'a.shop.local'],
  ['join(",", [for k, v in { for h in ["x", "y"] : "same" => h... } : join("+", v)])', 'x+y'],
  ['split(".", var.domain)[0]', 'shop'],
  ['replace(var.domain, ".local", ".internal")', 'shop.internal'],
  ['format("%s-%03d-%%", local.stage, 7)', 'dev-007-%'],
  ['"x${trimsuffix(trimprefix(var.domain, "shop."), "cal")}"', 'xlo'],
  ['coalesce(local.empty, "", "first")', 'first'],
  ['lookup({ a = "x" }, "b", "other")', 'other'],
  ['merge({ a = "x", "b-c" = "y" }, { (local.stage) = "z" })["dev"]', 'z'],
  ['element(local.hosts, 3)', 'b.shop.local'],
  ['try(var.ports.nothing, "tried")', 'tried'],
  ['keys(var.ports)[0]', 'pricing'],
  ['"${length(local.hosts)}${length("abc")}"', '23'],
  ['substr("pricing", 0, 4)', 'pric'],
  ['concat(local.hosts, ["c"])[2]', 'c'],
  ['aws_appmesh_mesh.shop.name', 'shop'],
  ['aws_appmesh_mesh.shop.id', 'shop'],
  ['aws_appmesh_mesh.shop.arn', 'arn:aws:appmesh:::mesh/shop'],
  ['aws_appmesh_virtual_router.router["a"].name', 'router-a'],
  ['values(aws_appmesh_virtual_router.router)[1].mesh_name', 'shop'],
  ['aws_service_discovery_private_dns_namespace.main[1].name', 'ns1.shop.local'],
  ['join(",", aws_service_discovery_private_dns_namespace.main[*].name)', 'ns0.shop.local,ns1.shop.local'],
  ['data.aws_appmesh_mesh.other.id', 'other'],
  ['aws_lb.main.dns_name', 'lb.internal', { 'aws_lb.main.dns_name': 'lb.internal' }],
  ['terraform.workspace', 'blue', { 'terraform.workspace': 'blue' }],
]

for (const [written, expected, variables] of table) {
  test(`Terraform's ${JSON.stringify(written)} is ${JSON.stringify(expected)}`, async () => {
    assert.equal(await hostname(written, variables), expected)
  })
}

test('count and for_each make resources, and dynamic makes blocks', async () => {
  const found = await read([{ file: 'infra/main.tf', text: `
variable "versions" {
  type = map(number)
}
resource "aws_appmesh_virtual_node" "version" {
  for_each  = var.versions
  name      = "pricing-\${each.key}"
  mesh_name = "shop"
  spec {
    dynamic "backend" {
      for_each = ["tax", "order"]
      iterator = service
      content {
        virtual_service {
          virtual_service_name = "\${service.value}-\${service.key}.\${each.key}"
        }
      }
    }
  }
}
resource "aws_appmesh_mesh" "none" {
  count = 0
  name  = "none"
}
resource "aws_appmesh_route" "all" {
  name                = "all"
  mesh_name           = "shop"
  virtual_router_name = "pricing"
  spec {
    http_route {
      match {
        prefix = "/"
      }
      action {
        dynamic "weighted_target" {
          for_each = aws_appmesh_virtual_node.version
          content {
            virtual_node = weighted_target.value.name
            weight       = var.versions[weighted_target.key]
          }
        }
      }
    }
  }
}
` }, { file: 'infra/prod.tfvars', text: 'versions = {\n  v1 = 90\n  v2 = 10\n}\n' }])
  assert.deepEqual(found.map(({ resource }) => resource), ['aws_appmesh_route.all', 'aws_appmesh_virtual_node.version["v1"]', 'aws_appmesh_virtual_node.version["v2"]'])
  assert.deepEqual(found[0]!.body, {
    meshName: 'shop', routeName: 'all', virtualRouterName: 'pricing',
    spec: { httpRoute: { match: { prefix: '/' }, action: { weightedTargets: [{ virtualNode: 'pricing-v1', weight: 90 }, { virtualNode: 'pricing-v2', weight: 10 }] } } },
  })
  assert.deepEqual(found[1]!.body, {
    meshName: 'shop', virtualNodeName: 'pricing-v1',
    spec: { backends: [{ virtualService: { virtualServiceName: 'tax-0.v1' } }, { virtualService: { virtualServiceName: 'order-1.v1' } }] },
  })
  assert.equal(found[1]!.at(['spec', 'backends', 1, 'virtualService', 'virtualServiceName']), 'spec.backend[1].virtual_service.virtual_service_name')
})

test('all files of a directory are one module, and modules get the values of their calls', async () => {
  const found = await read([
    { file: 'infra/mesh.tf', text: 'resource "aws_appmesh_mesh" "shop" {\n  name = local.name\n}\n' },
    { file: 'infra/locals.tf.json', text: '{ "locals": { "name": "shop-${var.stage}" }, "variable": { "stage": { "default": "dev" } } }' },
    { file: 'infra/modules.tf', text: `
module "node" {
  for_each = toset(["a", "b"])
  source   = "../modules/node"
  mesh     = aws_appmesh_mesh.shop.id
  name     = each.key
}
resource "aws_appmesh_virtual_service" "a" {
  name      = "a.local"
  mesh_name = aws_appmesh_mesh.shop.id
  spec {
    provider {
      virtual_node {
        virtual_node_name = module.node["a"].name
      }
    }
  }
}
` },
    { file: 'modules/node/main.tf', text: `
variable "mesh" {}
variable "name" {}
resource "aws_appmesh_virtual_node" "this" {
  name      = "\${var.name}-node"
  mesh_name = var.mesh
  spec {}
}
output "name" {
  value = aws_appmesh_virtual_node.this.name
}
` },
  ])
  assert.deepEqual(found.map(({ file, resource, body }) => [file, resource, body]), [
    ['infra/mesh.tf', 'aws_appmesh_mesh.shop', { meshName: 'shop-dev' }],
    ['infra/modules.tf', 'aws_appmesh_virtual_service.a', { meshName: 'shop-dev', virtualServiceName: 'a.local', spec: { provider: { virtualNode: { virtualNodeName: 'a-node' } } } }],
    ['modules/node/main.tf', 'module.node["a"].aws_appmesh_virtual_node.this', { meshName: 'shop-dev', virtualNodeName: 'a-node', spec: {} }],
    ['modules/node/main.tf', 'module.node["b"].aws_appmesh_virtual_node.this', { meshName: 'shop-dev', virtualNodeName: 'b-node', spec: {} }],
  ])
})

test('modules that call one another in a circle come to an end', async () => {
  const call = (source: string): string => `module "m" {\n  source = "${source}"\n}\n`
  const { faults } = await readTerraform([
    { file: 'a/main.tf', text: call('../b') }, { file: 'b/main.tf', text: call('../c') }, { file: 'c/main.tf', text: call('../b') },
  ], {})
  assert.deepEqual(faults.map(({ severity }) => severity), ['error'])
})

test('reads a state with modules, in which all that is not set stands as nothing', async () => {
  const [node, route] = await read([{ file: 'state.json', text: JSON.stringify({
    format_version: '1.0',
    values: { root_module: {
      resources: [{ address: 'aws_lb.main', mode: 'managed', type: 'aws_lb', values: {} }, { address: 'data.aws_appmesh_mesh.m', mode: 'data', type: 'aws_appmesh_mesh', values: {} }],
      child_modules: [{ address: 'module.a', resources: [{
        address: 'module.a.aws_appmesh_virtual_node.n[0]', mode: 'managed', type: 'aws_appmesh_virtual_node',
        values: {
          id: 'x', arn: 'arn', name: 'n', mesh_name: 'shop', mesh_owner: '', tags: null, tags_all: {}, region: 'eu-west-1',
          spec: [{
            backend: [], backend_defaults: [], logging: [],
            listener: [{ connection_pool: [], health_check: [{ path: '', port: 0, protocol: 'tcp', healthy_threshold: 2 }], port_mapping: [{ port: 80, protocol: 'tcp' }], timeout: [{ tcp: [{ idle: [{ unit: 's', value: 0 }] }], http: [] }], tls: [] }],
            service_discovery: [{ aws_cloud_map: [], dns: [{ hostname: 'n.local', ip_preference: '', response_type: 'LOADBALANCER' }] }],
          }],
        },
      }], child_modules: [{ resources: [{
        address: 'module.a.module.b.aws_appmesh_route.r', mode: 'managed', type: 'aws_appmesh_route',
        values: { name: 'r', mesh_name: 'shop', virtual_router_name: 'v', spec: [{ priority: 0, http_route: [], http2_route: [], tcp_route: [], grpc_route: [{
          match: [null], retry_policy: [], timeout: [], action: [{ weighted_target: [{ port: 0, virtual_node: 'n', weight: 0 }] }],
        }] }] },
      }] }] }],
    } },
  }) }])
  assert.deepEqual(node!.body, {
    virtualNodeName: 'n', meshName: 'shop',
    spec: {
      listeners: [{ healthCheck: { protocol: 'tcp', healthyThreshold: 2 }, portMapping: { port: 80, protocol: 'tcp' }, timeout: { tcp: { idle: { unit: 's', value: 0 } } } }],
      serviceDiscovery: { dns: { hostname: 'n.local', responseType: 'LOADBALANCER' } },
    },
  })
  assert.deepEqual(route!.body, {
    routeName: 'r', meshName: 'shop', virtualRouterName: 'v',
    spec: { grpcRoute: { match: {}, action: { weightedTargets: [{ virtualNode: 'n', weight: 0 }] } } },
  })
})

test('reads a state file', async () => {
  const [node] = await read([{ file: 'terraform.tfstate', text: JSON.stringify({
    version: 4, terraform_version: '1.9.0',
    resources: [
      { mode: 'data', type: 'aws_appmesh_mesh', name: 'm', instances: [{ attributes: {} }] },
      { module: 'module.a', mode: 'managed', type: 'aws_appmesh_mesh', name: 'm', instances: [{ index_key: 'x', attributes: { name: 'shop', spec: [{ egress_filter: [{ type: 'DROP_ALL' }] }] } }] },
    ],
  }) }])
  assert.equal(node!.resource, 'module.a.aws_appmesh_mesh.m["x"]')
  assert.deepEqual(node!.body, { meshName: 'shop', spec: { egressFilter: { type: 'DROP_ALL' } } })
})

test('reads a plan, whose configuration tells what the apply has yet to', async () => {
  const plan = (module: string, prefix: string): unknown => ({
    resources: [
      { address: `${prefix}aws_appmesh_mesh.m`, mode: 'managed', type: 'aws_appmesh_mesh', values: { name: `${module}-mesh` } },
      { address: `${prefix}aws_appmesh_virtual_node.n["a"]`, mode: 'managed', type: 'aws_appmesh_virtual_node', values: { name: 'n', spec: [{ listener: [{ health_check: [{ protocol: 'tcp' }] }] }] } },
    ],
  })
  const unknown = (prefix: string): unknown => ({
    address: `${prefix}aws_appmesh_virtual_node.n["a"]`,
    change: { after_unknown: { mesh_name: true, mesh_owner: true, id: true, spec: [{ listener: [{ health_check: [{ port: true }] }], service_discovery: true }] } },
  })
  const expressions = { resources: [
    { address: 'aws_appmesh_virtual_node.n', expressions: {
      mesh_name: { references: ['aws_appmesh_mesh.m.id', 'aws_appmesh_mesh.m'] },
      spec: [{ listener: [{ health_check: [{ protocol: { constant_value: 'tcp' } }] }] }],
    } },
  ] }
  const found = await read([{ file: 'plan.json', text: JSON.stringify({
    format_version: '1.2', terraform_version: '1.9.0',
    planned_values: { root_module: { ...plan('root', '') as object, child_modules: [plan('child', 'module.c[0].')] } },
    resource_changes: [unknown(''), unknown('module.c[0].')],
    configuration: { root_module: { ...expressions, module_calls: { c: { module: expressions } } } },
  }) }])
  assert.deepEqual(found.filter(({ kind }) => kind === 'virtualNode').map(({ body }) => body), ['root-mesh', 'child-mesh'].map((meshName) =>
    ({ virtualNodeName: 'n', meshName, spec: { listeners: [{ healthCheck: { protocol: 'tcp' } }] } })))
})

test('says how to install the parser where it is missing', async () => {
  const reader = terraformReader(() => Promise.reject(Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })))
  const { found, faults } = await reader([{ file: 'main.tf', text: '' }, { file: 'more.tf', text: '' }], {})
  assert.deepEqual(found, [])
  assert.equal(faults.length, 1)
  assert.match(faults[0]!.message, /npm install @cdktf\/hcl2json; or read what terraform show -json says \(ERR_MODULE_NOT_FOUND\)/)
})

test('states need no parser', async () => {
  const reader = terraformReader(() => Promise.reject(new Error('not asked for')))
  assert.deepEqual((await reader([{ file: 'a.json', text: '{"format_version":"1.0"}' }], {})).faults, [])
})

test('a process that read a configuration comes to its end', async () => {
  const reader = path.join(root, 'src/app-mesh/formats/terraform.ts')
  const script = `const { readTerraform } = await import(${JSON.stringify(reader)})
    const { found } = await readTerraform([{ file: 'a.tf', text: 'resource "aws_appmesh_mesh" "m" {\\n name = upper("shop")\\n}' }], {})
    process.stdout.write(JSON.stringify(found[0].body))`
  assert.deepEqual(await runNode(['--input-type=module', '-e', script]), { code: 0, output: '{"meshName":"SHOP"}\n' })
})

test('takes no other JSON for Terraform\'s', async () => {
  const { taken, faults } = await readTerraform(['{}', '', '{"Resources": {}}', '{"terraform_version": 1}', 'format_version'].map((text, at) => ({ file: `${at}.json`, text })), {})
  assert.equal(taken.size, 0)
  assert.deepEqual(faults, [])
})
