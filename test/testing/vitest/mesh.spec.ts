import { expect, test } from 'vitest'
import { connectFails, FakeClock, fakeMesh, neverAnswers } from '../../../src/testing/index.ts'

test('a fake mesh answers, retries and fails as it does under node:test', async () => {
  const clock = new FakeClock()
  const mesh = fakeMesh({
    'pricing.local': [connectFails, () => Response.json({ cents: 4200 })],
    'tax.local': connectFails,
    'slow.local': neverAnswers,
  }, { clock })
  expect(await (await mesh.fetch('http://pricing.local/')).json()).toEqual({ cents: 4200 })
  await expect(mesh.fetch('http://tax.local/')).rejects.toMatchObject({ code: 'ENMESH_CONNECT_FAILED' })
  expect(mesh.requests('pricing.local')).toHaveLength(2)
  const slow = mesh.fetch('http://slow.local/')
  await expect.poll(() => mesh.requests('slow.local').length).toBe(1)
  await mesh.close()
  await expect(slow).rejects.toMatchObject({ code: 'ENMESH_CLOSED' })
  expect(clock.pending).toBe(0)
})
