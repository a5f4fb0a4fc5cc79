/** Rows from the ground up. A folder imports from the rows below its own and from itself, never sideways or upwards. */
const rows = [
  ['runtime/'],
  ['config/'],
  ['core/'],
  ['registries/', 'balancers/', 'policies/', 'matchers/', 'tracing/', 'transport/'],
  ['cluster/', 'route/', 'registrars/'],
  ['mesh/'],
  ['config-file/'],
  ['index.ts', 'app-mesh/', 'proxies/', 'testing/', 'server/'],
  ['compare/'],
  ['register/', 'cli/'],
]

const inSrc = (places) => `^src/(${places.map((place) => place.replace('.', '\\.')).join('|')})`

const rowRules = rows.flatMap((row, height) => row.map((place) => {
  const allowed = [place, ...rows.slice(0, height).flat()]
  return {
    name: `row-${height}-${place.replace(/\/$|\.ts$/, '')}`,
    comment: `src/${place} stands in row ${height}: of src it may import ${allowed.join(', ')}, nothing else, types included.`,
    severity: 'error',
    from: { path: inSrc([place]) },
    to: { path: '^src/', pathNot: inSrc(allowed) },
  }
}))

module.exports = {
  forbidden: [
    ...rowRules,
    {
      name: 'every-folder-has-a-row',
      comment: 'A new folder of src gets its row here (and in docs/architecture.md) before it gets its first import.',
      severity: 'error',
      from: { path: '^src/', pathNot: inSrc(rows.flat()) },
      to: {},
    },
    {
      name: 'no-cycle',
      comment: 'Modules that need each other when they load have no order. Types may: they are gone by then.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-orphan',
      comment: 'A module without any connection is forgotten: import it or delete it.',
      severity: 'error',
      from: { orphan: true, pathNot: '\\.d\\.ts$' },
      to: {},
    },
    {
      name: 'runtime-needs-node-only',
      comment: 'The ground stands on Node alone, so anything may stand on it.',
      severity: 'error',
      from: { path: '^src/runtime/' },
      to: { pathNot: '^src/runtime/', dependencyTypesNot: ['core'] },
    },
    {
      name: 'undici-in-transport-only',
      comment: 'One folder speaks undici, so one folder changes when undici does.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(transport/|core/endpoint\\.ts|compare/ways/)' },
      to: { path: '(^|/)node_modules/undici(-types)?/' },
    },
    {
      name: 'undici-in-core-as-type-only',
      comment: 'An endpoint carries its pools without knowing how they work.',
      severity: 'error',
      from: { path: '^src/core/endpoint\\.ts$' },
      to: { path: '(^|/)node_modules/undici(-types)?/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-undici-front-door',
      comment: 'Loading undici by its name sets the global dispatcher; loading its inner modules does not (docs/decisions/0001).',
      severity: 'error',
      // What is compared is undici as its users load it, in processes of their own.
      from: { path: '^src/', pathNot: '^src/compare/ways/' },
      to: { path: '(^|/)node_modules/undici/index\\.js$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-node-http',
      comment: 'An import of node:http reads its WebSocket, which loads Node\'s own undici and sets the global dispatcher.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(server|cli|compare/processes)/' },
      to: { path: '^(node:)?http$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'opentelemetry-in-tracing-only',
      comment: 'One folder speaks to OpenTelemetry; a call carries its context without knowing what is in it.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(tracing/|core/call\\.ts$)' },
      to: { path: '(^|/)node_modules/@opentelemetry/|^@opentelemetry/' },
    },
    {
      name: 'opentelemetry-in-core-as-type-only',
      comment: 'What every request is made of must load without it.',
      severity: 'error',
      from: { path: '^src/core/call\\.ts$' },
      to: { path: '(^|/)node_modules/@opentelemetry/|^@opentelemetry/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'opossum-behind-its-adapter',
      comment: 'What opossum does not do as we need it is mended in one file (docs/decisions/0002).',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/policies/circuit-breaker\\.ts$' },
      to: { path: '(^|/)node_modules/(@types/)?opossum/' },
    },
    {
      name: 'library-stands-alone',
      comment: 'What is published must not lean on what is not.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|examples|bench|docs)/' },
    },
    {
      name: 'no-development-dependency',
      comment: 'A user\'s install brings no devDependencies.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only', 'npm-peer'], pathNot: '(^|/)node_modules/@types/' },
    },
    {
      name: 'nothing-unresolved',
      comment: 'An import that leads nowhere fails in somebody else\'s process. Optional peers may be absent.',
      severity: 'error',
      from: { path: '^src/' },
      to: { couldNotResolve: true, pathNot: '^@(opentelemetry|aws-sdk)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    // Sees imports of types, marked as such: a type from a forbidden row ties rows together as well.
    tsPreCompilationDeps: 'specify',
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
}
