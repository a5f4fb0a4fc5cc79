import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { resultsOf } from '../support/tap.ts'

/** A fault in an example, and the tests that must notice it, with what they say. */
interface Fault {
  readonly what: string
  readonly file: string
  readonly from: string
  readonly to: string
  readonly noticed: Readonly<Record<string, RegExp>>
}

const faults: Readonly<Record<string, readonly Fault[]>> = {
  order: [
    {
      what: "ignores pricing's failure",
      file: '/examples/order/app.ts',
      from: "if ('because' in price) return { error: 'No price, no order', price }",
      to: '',
      noticed: {
        'places no order without a price': /pricing answered 500, and order placed at no price: 201/,
        'places an order once per Idempotency-Key, unless it was refused': /201 !== 424/,
      },
    },
    {
      what: 'fails when pricing does',
      file: '/examples/order/app.ts',
      from: 'if (!(error instanceof MeshError)) throw error',
      to: 'throw error',
      noticed: {
        'reads an order without a price when pricing is down, and says why': /the service refuses connections[\s\S]*ENMESH_CONNECT_FAILED/,
        'waits no longer than 1.5 s for each of three attempts, which is virtual time here': /ENMESH_ATTEMPT_TIMEOUT/,
      },
    },
    {
      what: 'waits for pricing as long as it takes',
      file: '/examples/order/mesh.ts',
      from: "attemptTimeout: '1500ms', ",
      to: '',
      noticed: { 'waits no longer than 1.5 s for each of three attempts, which is virtual time here': /Expected values to be strictly deep-equal/ },
    },
  ],
  gateway: [{
    what: 'sends orders without a key',
    file: '/examples/gateway/app.ts',
    from: ", 'idempotency-key': key",
    to: '',
    noticed: {
      'places an order on the other instance when one breaks off, under the same key': /502/,
      "keeps the caller's own key": /Expected values to be strictly equal/,
    },
  }],
  'app-mesh': [{
    what: 'shifts no weights',
    file: '/examples/app-mesh/shop.ts',
    from: 'one.name === route ?',
    to: 'one.name === service ?',
    noticed: { 'leads the gateway to order, and order to both versions of pricing by weight': /Expected values to be strictly deep-equal/ },
  }],
  pricing: [{
    what: 'has round prices',
    file: '/examples/pricing/app.ts',
    from: '* 100 - 1',
    to: '* 100',
    noticed: { 'has prices that end in 99 from 2.0.0 on, a little above those before': /0 !== 99/ },
  }],
}

/** The unit tests of an example, which resolve `enmesh` to the library's sources. */
const unitTests = (example: string, ...args: readonly string[]) =>
  resultsOf('--conditions=enmesh:source', ...args, `examples/${example}/${example}.test.ts`)

for (const [example, list] of Object.entries(faults)) {
  describe(`the unit tests of ${example}`, () => {
    test('pass', async () => {
      const { code, names, failures } = await unitTests(example)
      assert.deepEqual([code, [...failures]], [0, []])
      assert.ok(names.length >= 4, `only ${names.length} tests were run`)
    })

    for (const { what, noticed, ...replacement } of list) {
      test(`notice one that ${what}`, async (t) => {
        process.env['ENMESH_REPLACE'] = JSON.stringify(replacement)
        t.after(() => { delete process.env['ENMESH_REPLACE'] })
        const { code, failures } = await unitTests(example, '--import', './test/examples/replace.ts')
        assert.equal(code, 1)
        assert.deepEqual([...failures.keys()].sort(), Object.keys(noticed).sort())
        for (const [name, message] of failures) assert.match(message, noticed[name]!)
      })
    }
  })
}
