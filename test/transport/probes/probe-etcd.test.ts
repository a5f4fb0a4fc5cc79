import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Endpoint } from '../../../src/core/endpoint.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { grpcProbe, healthProbe } from '../../../src/transport/probes/probe.ts'
import { Etcd, etcdMissing } from '../../support/etcd.ts'

test("a real server's health service of gRPC is understood, while it runs and when it is gone", { skip: etcdMissing }, async (t) => {
  const etcd = await Etcd.start()
  t.after(() => etcd.close())
  const endpoint = new Endpoint({ address: new URL(etcd.url).host })
  const ask = (service: string) =>
    healthProbe(grpcProbe.parse({ protocol: 'grpc', service }), { tls: false, context: undefined, host: undefined }, systemClock)(endpoint, new AbortController().signal)
  assert.deepEqual(await ask(''), { result: 'passed', found: 'SERVING' })
  assert.deepEqual(await ask('no.such.Service'), { result: 'failed', found: 'gRPC status 5 (NOT_FOUND: it does not know the service)' })
  await etcd.close()
  assert.equal((await ask('')).result, 'unanswered')
})
