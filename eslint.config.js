import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

const because = {
  time: 'Time comes from runtime.clock, so that tests can drive it.',
  chance: 'Chance comes from runtime.random, so that a run can be repeated from its seed.',
  sleep: 'Tests never sleep: move a FakeClock, or await what you are waiting for.',
  undici: 'Only src/transport speaks undici.',
}

const timerGlobals = ['setTimeout', 'setInterval', 'setImmediate']
const named = (names, message) => names.map((name) => ({ name, message }))

// Reading a date that somebody else wrote (`Date.parse`, `Date.UTC`, `new Date(value)`) asks no clock.
const clockReadingDate = ':not('
  + 'MemberExpression[property.name=/^(parse|UTC)$/], NewExpression[arguments.length>0], '
  + 'BinaryExpression[operator="instanceof"], TSTypeReference'
  + ') > Identifier[name="Date"]'

const timeAndChanceImports = [
  ...named(['node:timers', 'timers', 'node:timers/promises', 'timers/promises', 'node:perf_hooks', 'perf_hooks'], because.time),
  ...['node:crypto', 'crypto'].map((name) => ({
    name, importNames: ['randomBytes', 'randomInt', 'randomUUID', 'getRandomValues', 'webcrypto'], message: because.chance,
  })),
]

const undiciImports = { group: ['undici', 'undici/*', 'undici-types', 'undici-types/*'], message: because.undici }

export default defineConfig(
  globalIgnores(['dist/', 'docs/api/', 'compare-report/', '.compare/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    rules: {
      'eqeqeq': ['error', 'always', { null: 'ignore' }],
      'no-else-return': 'error',
      'no-implicit-coercion': 'error',
      'no-restricted-globals': ['error', ...named(['event', 'name'], 'A forgotten variable, not a global that is meant.')],
      'no-useless-rename': 'error',
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': ['error', {
        // node:test runs these itself and reports their failure.
        allowForKnownSafeCalls: [{ from: 'package', package: 'node:test', name: ['test', 'it', 'describe', 'suite'] }],
      }],
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/no-unnecessary-boolean-literal-compare': 'error',
      '@typescript-eslint/no-unnecessary-type-arguments': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
      '@typescript-eslint/prefer-optional-chain': 'error',
      '@typescript-eslint/prefer-readonly': 'error',
      // An abort's reason is the caller's choice and is handed on as it came, so what is unknown may be thrown.
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingUnknown: true }],
      '@typescript-eslint/prefer-promise-reject-errors': ['error', { allowThrowingUnknown: true }],
      '@typescript-eslint/require-await': 'off',              // `async` is the contract of a send, whether or not a layer waits
      '@typescript-eslint/restrict-template-expressions': ['error', {
        allowNumber: true,
        allowBoolean: true,
        allowNullish: false,
        allow: [{ from: 'file', name: 'Call' }, { from: 'lib', name: 'URL' }],
      }],
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/runtime/**'],
    rules: {
      'no-console': 'error',
      'no-restricted-globals': ['error', {
        globals: named([...timerGlobals, 'performance'], because.time),
        checkGlobalObject: true,
      }],
      'no-restricted-properties': ['error',
        { object: 'AbortSignal', property: 'timeout', message: because.time },
        { object: 'process', property: 'hrtime', message: because.time },
        { object: 'Math', property: 'random', message: because.chance },
        { object: 'crypto', property: 'randomUUID', message: because.chance },
        { object: 'crypto', property: 'getRandomValues', message: because.chance },
      ],
      'no-restricted-syntax': ['error', { selector: clockReadingDate, message: because.time }],
      '@typescript-eslint/no-restricted-imports': ['error', { paths: timeAndChanceImports, patterns: [undiciImports] }],
    },
  },
  {
    files: ['src/transport/**/*.ts'],
    rules: { '@typescript-eslint/no-restricted-imports': ['error', { paths: timeAndChanceImports }] },
  },
  {
    // They are what the mesh is compared with.
    files: ['src/compare/ways/*.ts'],
    rules: { '@typescript-eslint/no-restricted-imports': ['error', { paths: timeAndChanceImports }] },
  },
  {
    files: ['src/core/endpoint.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': ['error', {
        paths: timeAndChanceImports, patterns: [{ ...undiciImports, allowTypeImports: true }],
      }],
    },
  },
  {
    files: ['src/testing/**/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': ['error', {
        // `settle` yields turns of the event loop; that waits for no length of time.
        paths: timeAndChanceImports.map((path) =>
          path.name === 'node:timers/promises' ? { ...path, allowImportNames: ['setImmediate'] } : path),
        patterns: [undiciImports],
      }],
    },
  },
  {
    files: ['src/cli/**/*.ts', 'src/register/**/*.ts'],
    rules: { 'no-console': 'off' },
  },
  {
    // A reply's JSON is `any`, and handlers of servers are async: noise here, faults in the library.
    files: ['test/**/*.ts', 'examples/**/*.ts', 'bench/**/*.ts'],
    rules: {
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-unnecessary-type-assertion': 'off',
      '@typescript-eslint/restrict-template-expressions': 'off',
    },
  },
  {
    files: ['test/**/*.ts'],
    ignores: ['test/soak/**', 'test/support/**', 'test/scenarios/support/**'],
    rules: {
      'no-restricted-globals': ['error', {
        globals: named(['setTimeout', 'setInterval'], because.sleep),
        checkGlobalObject: true,
      }],
      'no-restricted-imports': ['error', {
        paths: ['node:timers', 'timers', 'node:timers/promises', 'timers/promises'].map((name) => ({
          name, allowImportNames: ['setImmediate'], message: because.sleep,
        })),
      }],
      'no-restricted-properties': ['error',
        { object: 'AbortSignal', property: 'timeout', message: because.sleep },
        { object: 'Math', property: 'random', message: because.chance },
      ],
    },
  },
)
