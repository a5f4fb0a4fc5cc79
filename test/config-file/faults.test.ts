import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { loadConfig, registries, type Environment } from '../../src/index.ts'
import { faultsOf, fileOf } from './support.ts'

interface Bad {
  readonly title: string
  readonly file: string
  readonly text: string | Uint8Array
  readonly env?: Environment
  readonly faults: readonly string[]
}

const route = (to: string): string => `services:\n  a.local:\n    routes:\n      - to: ${to}\n`

const bomb = `a: &a [x, x, x, x, x, x, x, x, x]\n${[...'bcdefgh'].map((name, index) =>
  `${name}: &${name} [${Array.from({ length: 9 }, () => `*${'abcdefg'[index]}`).join(', ')}]\n`).join('')}`

const table: readonly Bad[] = [
  // YAML that is none
  {
    title: 'an empty file', file: 'mesh.yaml', text: '',
    faults: [
      'mesh.yaml:1:1: the file is empty: write at least `services`',
    ],
  },
  {
    title: 'comments only', file: 'mesh.yml', text: '# nothing\n',
    faults: [
      'mesh.yml:1:1: the file is empty: write at least `services`',
    ],
  },
  {
    title: 'a text in place of an object', file: 'mesh.yaml', text: '\nservices',
    faults: [
      'mesh.yaml:2:1: a configuration is an object with names such as `services` and `clusters`',
    ],
  },
  {
    title: 'a list in place of an object', file: 'mesh.yaml', text: '- a\n',
    faults: [
      'mesh.yaml:1:1: a configuration is an object with names such as `services` and `clusters`',
    ],
  },
  {
    title: 'a name twice', file: 'mesh.yaml', text: 'drain: 1s\negress: deny\ndrain: 2s\n',
    faults: [
      'mesh.yaml:3:1: this name is written twice in one object: only one of the two could count',
    ],
  },
  {
    title: 'a tab for indentation', file: 'mesh.yaml', text: 'services:\n\ta.local: [x:1]\n',
    faults: [
      'mesh.yaml:2:1: a tab stands where YAML wants spaces',
    ],
  },
  {
    title: 'two documents', file: 'mesh.yaml', text: 'drain: 1s\n---\ndrain: 2s\n',
    faults: [
      'mesh.yaml:2:1: the file holds several documents: a configuration is one',
    ],
  },
  {
    title: 'a bracket that is not closed', file: 'mesh.yaml', text: 'services:\n  a.local: [x:1\negress: deny\n',
    faults: [
      'mesh.yaml:3:1: is indented in a way that YAML cannot read, or a bracket before it is not closed',
    ],
  },
  {
    title: 'a quote that is not closed', file: 'mesh.yaml', text: 'egress: "deny\ndrain: 1\n',
    faults: [
      'mesh.yaml:3:1: a quote, bracket, comma or colon is missing here',
    ],
  },
  {
    title: 'a wrong indentation', file: 'mesh.yaml', text: 'services:\n    a.local:\n      cluster: b\n   c.local: d\n',
    faults: [
      'mesh.yaml:4:1: is indented in a way that YAML cannot read, or a bracket before it is not closed',
    ],
  },
  {
    title: 'a reserved character', file: 'mesh.yaml', text: 'egress: @deny\n',
    faults: [
      'mesh.yaml:1:9: begins with a character that YAML keeps for itself: put the text in quotes',
    ],
  },
  {
    title: 'a colon in plain text', file: 'mesh.yaml', text: 'egress: a: b\n',
    faults: [
      'mesh.yaml:1:9: a value cannot stand on several lines, or hold another name, here: put text with ": " in quotes',
    ],
  },
  {
    title: 'an escape that is none', file: 'mesh.yaml', text: 'egress: "\\q"\n',
    faults: [
      'mesh.yaml:1:10: YAML does not know this escape: in double quotes write \\\\ for a backslash, or use single quotes',
    ],
  },
  {
    title: 'a variable without quotes in flow style', file: 'mesh.yaml', text: 'clusters: { a: { panic: ${PANIC} } }\n',
    faults: [
      'mesh.yaml:1:26: YAML expects something else here: text with special characters needs quotes, as "${NAME}" does within { } and [ ]',
    ],
  },
  {
    title: 'a tag', file: 'mesh.yaml', text: 'drain: !seconds 5\n',
    faults: [
      'mesh.yaml:1:8: tags (!…) have no meaning here: write the plain value',
    ],
  },
  {
    title: 'a bomb of aliases', file: 'mesh.yaml', text: bomb,
    faults: [
      'mesh.yaml:1:23: aliases (*name) bring in more than 10000 values',
    ],
  },
  {
    title: 'an alias to what it stands in', file: 'mesh.yaml', text: 'services: &s\n  a.local: *s\n',
    faults: [
      'mesh.yaml:2:12: this alias (*name) refers to what it stands in',
    ],
  },
  {
    title: 'an alias without anchor', file: 'mesh.yaml', text: 'services:\n  a.local: *b\n',
    faults: [
      'mesh.yaml:2:12: this alias (*name) has no anchor (&name) before it',
    ],
  },
  {
    title: 'an older YAML', file: 'mesh.yaml', text: '%YAML 1.1\n---\ndrain: 010\n',
    faults: [
      'mesh.yaml:1:1: the file says %YAML, and not 1.2: leave that line out',
    ],
  },
  {
    title: 'a merge key', file: 'mesh.yaml', text: 'services:\n  a.local: &a { cluster: a }\n  b.local:\n    <<: *a\n',
    faults: [
      'mesh.yaml:4:5: merge keys (<<) are not supported: write the names out',
    ],
  },
  {
    title: 'a list as a name', file: 'mesh.yaml', text: 'services:\n  ? [a, b]\n  : [x:1]\n',
    faults: [
      'mesh.yaml:2:5: a name is plain text, not a list or an object',
    ],
  },
  {
    title: 'nesting without end', file: 'mesh.yaml', text: `services: ${'['.repeat(100)}${']'.repeat(100)}\n`,
    faults: [
      'mesh.yaml:1:75: is nested more than 64 levels deep',
    ],
  },
  {
    title: 'nesting beyond the stack', file: 'mesh.yaml', text: '['.repeat(100_000),
    faults: [
      'mesh.yaml:1:1: is nested more than 64 levels deep',
    ],
  },

  // JSON that is none
  {
    title: 'an empty file of JSON', file: 'mesh.json', text: ' \n',
    faults: [
      'mesh.json:1:1: the file is empty: write at least `services`',
    ],
  },
  {
    title: 'a comment', file: 'mesh.json', text: '{\n  // why\n  "drain": 1\n}',
    faults: [
      'mesh.json:2:3: expected a name in double quotes; JSON has no comments: a .yaml file may have them',
    ],
  },
  {
    title: 'a comment behind a value', file: 'mesh.json', text: '{\n  "drain": 1 // why\n}',
    faults: [
      "mesh.json:2:14: expected ',' or '}'; JSON has no comments: a .yaml file may have them",
    ],
  },
  {
    title: 'a comma at the end', file: 'mesh.json', text: '{\n  "services": {},\n}',
    faults: [
      "mesh.json:2:17: expected no ',' before '}'",
    ],
  },
  {
    title: 'a comma too little', file: 'mesh.json', text: '{\n  "services": {}\n  "drain": 1\n}',
    faults: [
      "mesh.json:3:3: expected ',' or '}'",
    ],
  },
  {
    title: 'single quotes', file: 'mesh.json', text: "{ 'drain': 1 }",
    faults: [
      'mesh.json:1:3: expected a name in double quotes; JSON knows double quotes only',
    ],
  },
  {
    title: 'a name without quotes', file: 'mesh.json', text: '{ drain: 1 }',
    faults: [
      'mesh.json:1:3: expected a name in double quotes',
    ],
  },
  {
    title: 'a text without an end', file: 'mesh.json', text: '{\n  "egress": "deny\n}',
    faults: [
      'mesh.json:2:13: this text is not closed on its line, or has a \\ before a character that needs none',
    ],
  },
  {
    title: 'a file cut off', file: 'mesh.json', text: '{\n  "services": {\n    "a.local": ["x:1"',
    faults: [
      "mesh.json:3:22: the file ends too early: expected ',' or ']'",
    ],
  },
  {
    title: 'more than one value', file: 'mesh.json', text: '{}\n{}',
    faults: [
      'mesh.json:2:1: expected the end of the file',
    ],
  },
  {
    title: 'a name twice in JSON', file: 'mesh.json', text: '{ "services": {\n "a.local": ["x:1"],\n  "a.local": ["x:2"] } }',
    faults: [
      'mesh.json:3:3: this name is written twice in one object: only one of the two could count',
    ],
  },
  {
    title: 'a number that JSON does not have', file: 'mesh.json', text: '{ "drain": 010 }',
    faults: [
      'mesh.json:1:12: expected a value',
    ],
  },
  {
    title: 'a variable without quotes', file: 'mesh.json', text: '{ "drain": ${DRAIN} }',
    faults: [
      'mesh.json:1:12: expected a value; a variable stands in double quotes: "${NAME}"',
    ],
  },
  {
    title: 'nesting without end in JSON', file: 'mesh.json', text: '['.repeat(100_000),
    faults: [
      'mesh.json:1:66: is nested more than 64 levels deep',
    ],
  },
  {
    title: 'YAML in a file of JSON', file: 'mesh.json', text: 'drain: 1s\n',
    faults: [
      'mesh.json:1:1: expected a value',
    ],
  },

  // Files that cannot be read
  {
    title: 'bytes that are no text', file: 'mesh.yaml', text: Uint8Array.of(0xff, 0xfe, 0x61, 0x00),
    faults: [
      'mesh.yaml: is not text in UTF-8',
    ],
  },
  {
    title: 'an ending that is not known', file: 'mesh.toml', text: 'drain = 1',
    faults: [
      "mesh.toml: has the ending '.toml': a configuration ends in .json, .yaml, .yml, .ts, .mts, .js, .mjs, .cjs",
    ],
  },

  // A shape that is wrong
  {
    title: 'an unknown name', file: 'mesh.yaml', text: 'services: {}\nclustres: {}\n',
    faults: [
      "mesh.yaml:2:1 clustres: unknown key: did you mean 'clusters'?",
    ],
  },
  {
    title: 'an unknown name deep inside', file: 'mesh.yaml', text: `${route('a')}        timeot: 2s\n`,
    faults: [
      `mesh.yaml:5:9 services["a.local"].routes[0].timeot: unknown key: did you mean 'timeout'?`,
    ],
  },
  {
    title: 'a wrong type', file: 'mesh.json', text: '{\n  "clusters": {\n    "a": { "registry": { "type": "dns", "hostname": "a.b", "port": "80" } }\n  }\n}',
    faults: [
      'mesh.json:3:60 clusters.a.registry.port: must be a number, not a string',
    ],
  },
  {
    title: 'a duration that is none', file: 'mesh.yaml', text: 'drain: soon\n',
    faults: [
      "mesh.yaml:1:1 drain: is not a duration: write milliseconds as a number (250) or text such as '250ms', '2s', '1m'",
    ],
  },
  {
    title: 'a null', file: 'mesh.yaml', text: 'drain: 1s\nservices:\n',
    faults: [
      'mesh.yaml:2:1 services: must be an object, not null',
    ],
  },
  {
    title: 'something missing', file: 'mesh.yaml', text: 'clusters:\n  a:\n    panic: 10\n',
    faults: [
      `mesh.yaml:2:3 clusters.a.registry: is missing: write an object with a type: one of ${registries.kinds.map(({ type }) => type).join(', ')}`,
    ],
  },
  {
    title: 'an unknown type', file: 'mesh.yaml', text: 'clusters:\n  a:\n    registry:\n      type: dsn\n',
    faults: [
      "mesh.yaml:4:7 clusters.a.registry.type: unknown type: did you mean 'dns'?",
    ],
  },
  {
    title: 'a name that is no service', file: 'mesh.yaml', text: 'services:\n  "a b": [x:1]\n',
    faults: [
      `mesh.yaml:2:3 services["a b"]: is not a service name: write the host that callers dial, with or without a port ('pricing.shop.local', 'pricing:8080')`,
    ],
  },
  {
    title: 'a name that JavaScript keeps', file: 'mesh.json', text: '{ "services": {},\n  "__proto__": {} }',
    faults: [
      'mesh.json:2:3 __proto__: unknown key: known here: services, clusters, egress, telemetry, replayLimit, drain',
    ],
  },
  {
    title: 'a fault within an item', file: 'mesh.yaml', text: 'services:\n  a.local:\n    - 10.0.0.1:80\n    - 10.0.0.2\n',
    faults: [
      `mesh.yaml:4:7 services["a.local"][1]: '10.0.0.2' has no port: write '10.0.0.2:8080', or a URL`,
    ],
  },
  {
    title: 'a fault behind an alias', file: 'mesh.yaml', text: 'clusters:\n  a: &a\n    registry: { type: static, endpoints: [] }\n  b: *a\n',
    faults: [
      'mesh.yaml:3:31 clusters.a.registry.endpoints: must have at least 1 entry',
      'mesh.yaml:3:31 clusters.b.registry.endpoints: must have at least 1 entry',
    ],
  },
  {
    title: 'a schema that is no text deeper inside', file: 'mesh.yaml', text: 'clusters:\n  $schema: x\n',
    faults: [
      'mesh.yaml:2:3 clusters.$schema: must be an object, not a string',
    ],
  },
  {
    title: 'several faults', file: 'mesh.yaml', text: 'drain: -1\nreplayLimit: 1.5\negress: never\n',
    faults: [
      "mesh.yaml:1:1 drain: is not a duration: write milliseconds as a number (250) or text such as '250ms', '2s', '1m'",
      'mesh.yaml:2:1 replayLimit: must be a whole number, not 1.5',
      "mesh.yaml:3:1 egress: must be 'allow', 'deny', or { allow: ['api.example.com', '*.example.com'] }",
    ],
  },

  // Variables
  {
    title: 'a variable that is not set', file: 'mesh.yaml', text: `${route('${TO}')}`,
    faults: [
      'mesh.yaml:4:9 services["a.local"].routes[0].to: the environment variable TO is not set: set it, or write a default: ${TO:-default}',
    ],
  },
  {
    title: 'a variable that is only inherited', file: 'mesh.yaml', text: 'egress: ${constructor}\n',
    faults: [
      'mesh.yaml:1:1 egress: the environment variable constructor is not set: set it, or write a default: ${constructor:-default}',
    ],
  },
  {
    title: 'variables of the wrong form', file: 'mesh.json', text: '{\n  "egress": "${A B}",\n  "drain": "${X:?why}"\n}',
    faults: [
      'mesh.json:2:3 egress: has a ${ that begins no variable: write ${NAME} or ${NAME:-default}, or $${ for the characters themselves',
      'mesh.json:3:3 drain: has a ${ that begins no variable: write ${NAME} or ${NAME:-default}, or $${ for the characters themselves',
    ],
  },
  {
    title: 'a variable where a number is wanted', file: 'mesh.yaml', text: 'replayLimit: ${LIMIT}\n', env: { LIMIT: 'hunter2' },
    faults: [
      'mesh.yaml:1:1 replayLimit: must be a number, not a string (from ${LIMIT})',
    ],
  },
  {
    title: 'a variable beyond the limits', file: 'mesh.yaml', text: 'clusters:\n  a:\n    registry: { type: dns, hostname: a.b, port: "${PORT}" }\n', env: { PORT: '98765' },
    faults: [
      'mesh.yaml:3:43 clusters.a.registry.port: must be at most 65535, not ${PORT}',
    ],
  },
  {
    title: 'a variable in a text that is wrong', file: 'mesh.yaml', text: 'services:\n  a.local:\n    - ${HOST}\n', env: { HOST: 'hunter2' },
    faults: [
      'mesh.yaml:3:7 services["a.local"][0]: \'${HOST}\' has no port: write \'${HOST}:8080\', or a URL',
    ],
  },
  {
    title: 'a part of a variable in a text that is wrong', file: 'mesh.yaml', text: 'services:\n  a.local:\n    - ${HOST}:${PORT}\n', env: { HOST: 'hunter2', PORT: '987654' },
    faults: [
      'mesh.yaml:3:7 services["a.local"][0]: \'${HOST}${PORT}\' has the port \'${HOST}${PORT}\': it must be a number from 1 to 65535',
    ],
  },
  {
    title: 'a variable that brings in a variable', file: 'mesh.yaml', text: 'egress: ${E}\n', env: { E: '${F}', F: 'deny' },
    faults: [
      'mesh.yaml:1:1 egress: must be \'allow\', \'deny\', or { allow: [\'api.example.com\', \'*.example.com\'] } (from ${E})',
    ],
  },
  {
    title: 'a variable that brings in syntax', file: 'mesh.yaml', text: 'egress: ${E}\n', env: { E: 'deny\ndrain: 5' },
    faults: [
      'mesh.yaml:1:1 egress: must be \'allow\', \'${E}\', or { allow: [\'api.example.com\', \'*.example.com\'] }',
    ],
  },
]

describe('a file is refused for', () => {
  for (const { title, file, text, env = {}, faults } of table) {
    test(title, async (t) => {
      const path = fileOf(t, file, text)
      const found = await faultsOf(() => loadConfig(path, { env }))
      assert.deepEqual(found, faults)
    })
  }
})
