import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import { Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import axios from 'axios'
import ky from 'ky'
import { MeshError, type MeshInput } from '../../src/index.ts'
import { rejection, story } from '../scenarios/support/story.ts'
import { bodyOf, hangs, refused, says } from '../scenarios/support/upstream.ts'
import { meshedAxios } from '../../examples/with/axios.ts'
import { meshedGot } from '../../examples/with/got.ts'
import { runNode } from '../support/child.ts'
import { bucket, libraries } from './libraries.ts'

const pricing = (endpoints: readonly string[], route: object = {}): MeshInput => ({
  services: { 'pricing.local': { cluster: 'pricing', retry: { attempts: 2, backoff: { max: 1 } }, ...route } },
  clusters: { pricing: { registry: { type: 'static', endpoints }, balancer: { type: 'round-robin' } } },
})

const price: RequestListener = (request, response) => {
  request.resume()
  response.setHeader('content-type', 'application/json').end('{"price":42}')
}

// As S3 says it; the others take it for text.
const busy = '<Error><Code>SlowDown</Code></Error>'

/** The mesh's error in what a library rejects with. */
const meshErrorIn = (error: unknown): MeshError | undefined => {
  for (let inner = error; inner instanceof Error; inner = inner.cause) if (inner instanceof MeshError) return inner
  return undefined
}

for (const [name, { get, send, status, failure }] of Object.entries(libraries)) {
  describe(name, () => {
    test('gets an answer through the mesh', async (t) => {
      const stage = story(t)
      const server = await stage.upstream(price)
      assert.equal(await get(stage.mesh(pricing([server.address]))), '{"price":42}')
      assert.equal(server.requests[0]!.headers.host, 'pricing.local')
    })

    test('has a 503 retried at another endpoint, once', async (t) => {
      const stage = story(t)
      const [bad, good] = [await stage.upstream(says(busy, 503)), await stage.upstream(price)]
      const mesh = stage.mesh(pricing([bad.address, good.address]))
      for (let call = 0; call < 2; call++) assert.equal(await get(mesh), '{"price":42}')
      assert.deepEqual([bad.requests.length, good.requests.length], [1, 2])
    })

    test('shows a 503 that remains as ever, and does not multiply the attempts', async (t) => {
      const stage = story(t)
      const servers = [await stage.upstream(says(busy, 503)), await stage.upstream(says(busy, 503))]
      const error = await rejection(get(stage.mesh(pricing(servers.map(({ address }) => address)))))
      assert.match(String(error), status)
      assert.equal(servers.flatMap(({ requests }) => requests).length, 2)
    })

    test('sends a body whole', async (t) => {
      const stage = story(t)
      let got = ''
      const server = await stage.upstream((request, response) => {
        void bodyOf(request).then((body) => {
          got = body.toString()
          response.writeHead(200, { 'content-type': 'application/json', 'etag': '{"price":1}' }).end(request.method === 'POST' ? '{"price":1}' : '')
        })
      })
      assert.equal(await send(stage.mesh(pricing([server.address]))), '{"price":1}')
      assert.equal(got, '{"price":1}')
    })

    test('aborts, and the endpoint is left alone', async (t) => {
      const stage = story(t)
      const server = await stage.upstream(hangs)
      const controller = new AbortController()
      const answer = rejection(get(stage.mesh(pricing([server.address])), controller.signal))
      await server.arrived(1)
      controller.abort()
      assert.match((await answer as Error).name, /^(AbortError|CanceledError)$/)
      await server.deserted()
      assert.equal(server.requests.length, 1)
    })

    test("shows an answer that breaks off as an error with the mesh's in it", async (t) => {
      const stage = story(t)
      const server = await stage.upstream((request, response) => {
        request.resume()
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': 12 }).write('{"price', () => response.destroy())
      })
      const error = await rejection(get(stage.mesh(pricing([server.address]))))
      assert.equal(meshErrorIn(error)?.code, 'ENMESH_CONNECTION_RESET')
    })

    test("gives up at the mesh's deadline", async (t) => {
      const stage = story(t)
      const server = await stage.upstream(hangs)
      const error = await rejection(get(stage.mesh(pricing([server.address], { timeout: 50 }))))
      assert.equal(meshErrorIn(error)?.code, 'ENMESH_DEADLINE_EXCEEDED')
      // None where it passed before the request was out.
      assert.ok(server.requests.length <= 1)
    })

    test("shows an error with the mesh's in it", async (t) => {
      const error = await rejection(get(story(t).mesh(pricing([refused, '127.0.0.1:2']))))
      assert.equal((error as Error).name, failure)
      assert.equal((error as { code?: string }).code, 'ENMESH_CONNECT_FAILED')
      assert.equal(meshErrorIn(error)?.attempts.length, 2)
    })
  })
}

test('axios shows its own kind of error, with the code of the mesh', async (t) => {
  const error = await rejection(meshedAxios(story(t).mesh(pricing([refused]))).get('http://pricing.local/'))
  assert.ok(axios.isAxiosError(error))
  assert.equal(error.code, 'ENMESH_CONNECT_FAILED')
  assert.ok(error.cause instanceof MeshError)
})

test("axios keeps its own timeout, which ends the mesh's attempts", async (t) => {
  const stage = story(t)
  const server = await stage.upstream(hangs)
  const error = await rejection(meshedAxios(stage.mesh(pricing([server.address]))).get('http://pricing.local/', { timeout: 50 }))
  assert.equal((error as { code?: string }).code, 'ETIMEDOUT')
  await server.deserted()
})

test('retries of ky that are left on multiply those of the mesh', async (t) => {
  const stage = story(t)
  const server = await stage.upstream(says(busy, 503))
  const { fetch } = stage.mesh({ ...pricing([server.address]) })
  await rejection(ky('http://pricing.local/', { fetch, timeout: false, retry: { limit: 1, delay: () => 1 } }).json())
  assert.equal(server.requests.length, 4)
})

test('ky takes what the mesh gave up for a failure of the network where errors are as from the platform', async (t) => {
  const { fetch } = story(t).mesh(pricing([refused]), { errors: 'fetch' })
  const error = await rejection(ky('http://pricing.local/', { fetch, timeout: false, retry: 0 }).json())
  assert.equal((error as Error).name, 'NetworkError')
  assert.equal(meshErrorIn(error)?.code, 'ENMESH_CONNECT_FAILED')
})

test('got offers a stream, and decodes what the service has encoded', async (t) => {
  const stage = story(t)
  const server = await stage.upstream((request, response) => {
    request.resume()
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('plain'))
  })
  const client = meshedGot(stage.mesh(pricing([server.address])))
  assert.equal(await text(client.stream('http://pricing.local/')), 'plain')
  assert.equal(await client('http://pricing.local/').text(), 'plain')
})

describe("a client of the AWS SDK", () => {
  test('reads a stream of Node, with the bytes as they were sent', async (t) => {
    const stage = story(t)
    const sent = gzipSync('plain')
    const server = await stage.upstream((request, response) => {
      request.resume()
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': sent.length }).end(sent)
    })
    const { Body } = await bucket(stage.mesh(pricing([server.address]))).send(new GetObjectCommand({ Bucket: 'a', Key: 'b' }))
    assert.ok(Body instanceof Readable)
    assert.deepEqual(await buffer(Body), sent)
  })

  test('sends a stream', async (t) => {
    const stage = story(t)
    let got = 0
    const server = await stage.upstream((request, response) => {
      void bodyOf(request).then((body) => {
        got = body.length
        response.end()
      })
    })
    const large = Buffer.alloc(300_000, 'x')
    await bucket(stage.mesh(pricing([server.address]))).send(new PutObjectCommand({
      Bucket: 'a', Key: 'b', Body: Readable.from([large.subarray(0, 100_000), large.subarray(100_000)]), ContentLength: large.length,
    }))
    const { headers } = server.requests[0]!
    // The SDK frames a stream, to send its checksum after it.
    assert.equal(headers['x-amz-decoded-content-length'], '300000')
    assert.ok(got > large.length)
  })

  test('sends megabytes, for which it asks to be told to continue', async (t) => {
    const stage = story(t)
    let got = 0
    const server = await stage.upstream((request, response) => {
      void bodyOf(request).then((body) => {
        got = body.length
        response.end()
      })
    })
    const large = Buffer.alloc(3_000_000, 'x')
    await bucket(stage.mesh(pricing([server.address]))).send(new PutObjectCommand({ Bucket: 'a', Key: 'b', Body: large }))
    assert.equal(got, large.length)
    assert.doesNotMatch(server.requests[0]!.headers.authorization!, /SignedHeaders=[^,]*expect/)
  })

  test('asks for what it has signed', async (t) => {
    const stage = story(t)
    const server = await stage.upstream(says('<ListBucketResult/>'))
    await bucket(stage.mesh(pricing([server.address]))).send(new ListObjectsV2Command({ Bucket: 'a', Prefix: "it's (a) b/ü", MaxKeys: 2 }))
    assert.equal(server.requests[0]!.url, '/a/?list-type=2&max-keys=2&prefix=it%27s%20%28a%29%20b%2F%C3%BC')
    assert.match(server.requests[0]!.headers.authorization!, /SignedHeaders=[^,]*host/)
  })
})

describe('the examples', { concurrency: 2 }, () => {
  for (const name of ['axios', 'ky', 'openapi-fetch', 'aws-sdk', 'got']) {
    test(`${name} runs, and is retried once at another endpoint for each busy one`, async () => {
      const { code, output } = await runNode(['--conditions=enmesh:source', 'examples/with/run.ts', name])
      assert.equal(code, 0, output)
      const answers = output.match(/\{ price: 42 \}|\[ 'teapot\.json' \]/g)
      assert.equal(answers?.length, 2, output)
      assert.match(output, /pricing\.local: retry after 503, at another endpoint/)
    })
  }
})
