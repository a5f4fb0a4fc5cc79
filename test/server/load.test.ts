import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { Hono } from 'hono'
import { expressPassport, honoPassport, withPassport } from '../../src/server/index.ts'
import { LoadMeter } from '../../src/server/load-meter.ts'
import { createMesh } from '../../src/index.ts'
import { FakeClock } from '../../src/testing/index.ts'

const meter = () => {
  const clock = new FakeClock()
  let busy = 0
  const made = new LoadMeter(clock, () => busy)
  /** A request from its arrival to its end, alone. */
  const serve = (took: number, status = 200): void => {
    const inFlight = made.begin()
    made.answer(inFlight, took, status)
    made.end()
  }
  return { clock, meter: made, serve, work: (ms: number) => { busy += ms } }
}

describe('the load of a process', () => {
  test('is the requests in flight, and nothing else before anything is known', () => {
    const { meter: made } = meter()
    made.begin()
    made.begin()
    assert.equal(made.report(), 'TEXT named_metrics.rif=2')
    made.end()
    assert.equal(made.report(), 'TEXT named_metrics.rif=1')
  })

  test('is the median latency of requests that came at about the present load', () => {
    const { meter: made, serve } = meter()
    for (const took of [10, 12, 500, 11, 9]) serve(took)
    assert.match(made.report(), /rif=0,named_metrics.latency=11$/)
    for (let number = 0; number < 7; number++) made.begin()
    made.answer(7, 80, 200)
    made.end()
    assert.match(made.report(), /rif=6,named_metrics.latency=80$/)
  })

  test('forgets a latency that is five seconds old, and takes the nearest level that is known', async () => {
    const { meter: made, serve, clock } = meter()
    serve(10)
    await clock.advance(4_000)
    const company = [made.begin(), made.begin(), made.begin()]
    made.answer(company[2]!, 30, 200)
    await clock.advance(2_000)
    company.forEach(() => made.end())
    assert.match(made.report(), /rif=0,named_metrics.latency=30,/)
    await clock.advance(6_000)
    assert.equal(made.report().includes('latency'), false)
  })

  test('is how busy it was, its answers and its failures per second, of a second at least', async () => {
    const { meter: made, serve, clock, work } = meter()
    for (let number = 0; number < 30; number++) serve(10, number % 10 === 0 ? 500 : 200)
    work(450)
    await clock.advance(999)
    assert.equal(made.report().includes('utilization'), false)
    await clock.advance(501)
    assert.match(made.report(), /,application_utilization=0.3,rps_fractional=20,eps=2$/)
  })

  test('a failure says nothing of latency', () => {
    const { meter: made, serve } = meter()
    serve(1, 503)
    assert.equal(made.report(), 'TEXT named_metrics.rif=0')
  })
})

const listening = async (listener: RequestListener): Promise<{ readonly url: string, readonly close: () => Promise<void> }> => {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const header = 'endpoint-load-metrics'

describe('reportLoad', () => {
  const heads: Readonly<Record<string, RequestListener>> = {
    'a head that nobody wrote': (_, response) => { response.end('ok') },
    'a head written with its fields': (_, response) => { response.writeHead(201, { 'x-own': '1' }).end('ok') },
    'a head written as a list': (_, response) => { response.writeHead(201, 'Made', ['x-own', '1']).end('ok') },
    'a body in pieces': (_, response) => {
      response.write('o')
      response.end('k')
    },
  }
  for (const [what, listener] of Object.entries(heads)) {
    test(`tells the load with ${what}`, async () => {
      const { url, close } = await listening(withPassport(listener, { reportLoad: true }))
      for (const again of [false, true]) {
        const response = await fetch(url)
        assert.match(response.headers.get(header) ?? '', /^TEXT named_metrics.rif=1,named_metrics.latency=[\d.]+$/)
        assert.equal(response.headers.has('x-own'), what.includes('written'), String(again))
        assert.equal(await response.text(), 'ok')
      }
      await close()
    })
  }

  test('is off unless it is asked for', async () => {
    const { url, close } = await listening(withPassport((_, response) => { response.end() }))
    assert.equal((await fetch(url)).headers.get(header), null)
    await close()
  })

  test('counts what is under way, and no longer what a client gave up', async () => {
    const held: (() => void)[] = []
    const { url, close } = await listening(withPassport((request, response) => {
      if (request.url === '/held') held.push(() => response.end())
      else response.end()
    }, { reportLoad: true }))
    const leaving = new AbortController()
    const left = fetch(`${url}held`, { signal: leaving.signal }).catch(() => 'left')
    const stays = fetch(`${url}held`)
    const rif = async (): Promise<string | undefined> => /rif=(\d+)/.exec((await fetch(url)).headers.get(header) ?? '')?.[1]
    while (held.length < 2) await rif()
    assert.equal(await rif(), '3')
    leaving.abort()
    assert.equal(await left, 'left')
    while (await rif() !== '2');
    for (const end of held) end()
    await stays
    await close()
  })

  test('works as middleware of Express and of Hono', async () => {
    const express = expressPassport({ reportLoad: true })
    const { url, close } = await listening((request, response) => express(request, response, () => { response.end() }))
    assert.match((await fetch(url)).headers.get(header) ?? '', /^TEXT /)
    await close()
    const app = new Hono().use(honoPassport({ reportLoad: true })).get('/', (context) => context.text('ok'))
    for (const path of ['/', '/nothing']) assert.match((await app.request(path)).headers.get(header) ?? '', /^TEXT named_metrics.rif=1/)
  })

  test('refuses what is none of its forms', () => {
    for (const reportLoad of ['yes', {}, { except: '/a' }, { except: ['a'] }, { except: ['/a?b'] }, { except: [7] }, { except: [], more: 1 }, []]) {
      assert.throws(() => withPassport(() => {}, { reportLoad: reportLoad as never }), /'reportLoad' of enmesh\/server must be true, false, or { except } with paths such as '\/health', not /)
    }
  })

  describe('of paths that are excepted', () => {
    const reportLoad = { except: ['/load'] }

    test('is told, and they are no part of it', async () => {
      const held: (() => void)[] = []
      const { url, close } = await listening(withPassport((request, response) => {
        if (request.url!.startsWith('/load')) return void held.push(() => response.end())
        response.end()
      }, { reportLoad }))
      const asked = [fetch(`${url}load`), fetch(`${url}load?x=1`)]
      const reports = async (path: string): Promise<string> => (await fetch(`${url}${path}`)).headers.get(header) ?? ''
      while (held.length < 2) assert.match(await reports(''), /rif=1,/)
      for (const end of held) end()
      for (const response of await Promise.all(asked)) assert.match(response.headers.get(header)!, /rif=\d/)
      await close()
    })

    test('leaves the latency to others', async () => {
      const { url, close } = await listening(withPassport((_, response) => { response.end() }, { reportLoad }))
      for (let turn = 0; turn < 3; turn++) assert.equal((await fetch(`${url}load`)).headers.get(header), 'TEXT named_metrics.rif=0')
      assert.match((await fetch(url)).headers.get(header)!, /latency/)
      await close()
    })

    test('works in Express, where a router changed the target, and in Hono', async () => {
      const express = expressPassport({ reportLoad })
      const { url, close } = await listening((request, response) => {
        Object.assign(request, { originalUrl: request.url, url: '/' })
        express(request, response, () => { response.end() })
      })
      assert.equal((await fetch(`${url}load`)).headers.get(header), 'TEXT named_metrics.rif=0')
      assert.match((await fetch(`${url}other`)).headers.get(header)!, /rif=1,/)
      await close()
      const app = new Hono().use(honoPassport({ reportLoad })).get('*', (context) => context.text('ok'))
      assert.equal((await app.request('/load')).headers.get(header), 'TEXT named_metrics.rif=0')
      assert.match((await app.request('/')).headers.get(header)!, /rif=1,/)
    })
  })

  test('reaches the balancer of a mesh, through balancers that hold it', async (t) => {
    const listener = (work: string): RequestListener => (_, response) => { response.setHeader(header, work).end() }
    const light = await listening(listener('TEXT named_metrics.rif=1,named_metrics.latency=2000'))
    const heavy = await listening(listener('TEXT named_metrics.rif=90,named_metrics.latency=4000'))
    t.after(() => Promise.all([light.close(), heavy.close()]))
    const endpoints = [light, heavy].map(({ url }) => new URL(url).host)
    for (const balancer of [{ type: 'prequal' }, { type: 'aperture', size: 1, of: { type: 'prequal' } }, { type: 'priority', of: { type: 'prequal' } }] as const) {
      const mesh = createMesh({
        services: { 'a.local': { cluster: 'a' } },
        clusters: { a: { registry: { type: 'static', endpoints }, balancer: { ...balancer, ...(balancer.type === 'aperture' && { size: 2 }) } as never } },
      })
      for (let call = 0; call < 60; call++) await (await mesh.fetch('http://a.local/')).text()
      const [toLight, toHeavy] = mesh.status().clusters['a']!.endpoints.map(({ attempts }) => attempts)
      assert.ok(toHeavy! <= 20 && toLight! >= 40, `${balancer.type}: ${toLight} and ${toHeavy}`)
      await mesh.close()
    }
  })
})
