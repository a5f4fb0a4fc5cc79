import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { chromium, type Browser, type Page } from 'playwright-core'
import { writeReport } from '../../../src/compare/report/report.ts'
import { withoutTool } from '../../support/tool.ts'
import { arrangements, results } from './results.ts'

/** Where Debian puts it. */
const executablePath = '/usr/bin/chromium'
const missing = withoutTool(executablePath, 'apt-get install -y chromium')

let directory: string
let browser: Browser

before(async () => {
  if (missing) return
  directory = await mkdtemp(join(tmpdir(), 'enmesh-report-'))
  await writeReport(results, directory)
  // As root, which is who tests in containers are, Chromium has no sandbox; the page is our own.
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
})

after(async () => {
  if (missing) return
  await browser.close()
  await rm(directory, { recursive: true })
})

/** Opens the report without a network, and collects all that a browser complains of or asks for. */
const opened = async (colorScheme: 'light' | 'dark' = 'light'): Promise<{ readonly page: Page, readonly complaints: readonly string[], readonly asked: readonly string[] }> => {
  const context = await browser.newContext({ colorScheme, offline: true, javaScriptEnabled: true })
  const page = await context.newPage()
  const complaints: string[] = []
  const asked: string[] = []
  page.on('console', (message) => complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('request', (request) => asked.push(request.url()))
  await page.goto(pathToFileURL(join(directory, 'index.html')).href)
  return { page, complaints, asked }
}

test('the page is whole without a network, and a browser has nothing to complain of', { skip: missing }, async () => {
  const { page, complaints, asked } = await opened()
  assert.deepEqual(complaints, [])
  assert.deepEqual(asked.filter((url) => !url.startsWith('data:')), [pathToFileURL(join(directory, 'index.html')).href])
  assert.equal(await page.title(), 'Side by side with the sidecar')
})

test('every chart is drawn: visible, of some size, with a line, bar or lane for each arrangement', { skip: missing }, async () => {
  const { page } = await opened()
  const ran = arrangements.filter(({ notRun }) => notRun === undefined).length
  const charts = page.locator('article svg')
  assert.equal(await charts.count(), 2 * 3 + 1)
  for (const chart of await charts.all()) {
    const box = await chart.boundingBox()
    assert.ok(box && box.width > 400 && box.height > 100, `a chart of ${box?.width} by ${box?.height}`)
  }
  assert.equal(await page.locator('#case-base svg').nth(0).locator('path.line:not(g *)').count(), ran)
  assert.equal(await page.locator('#case-base svg').nth(1).locator('path.whisker').count(), ran)
  assert.equal(await page.locator('#fault-killed svg path.p99').count(), ran)
  const outside = await page.evaluate(`[...document.querySelectorAll('article svg')].flatMap((svg) => {
    const [, , width, height] = svg.getAttribute('viewBox').split(' ').map(Number)
    return [...svg.querySelectorAll('path, rect, text')].filter((shape) => {
      const box = shape.getBBox()
      return box.x < -1 || box.y < -1 || box.x + box.width > width + 1 || box.y + box.height > height + 1
    }).map((shape) => shape.outerHTML.slice(0, 200))
  })`)
  assert.deepEqual(outside, [], 'drawn outside of its chart')
})

test('unticking an arrangement hides all that is drawn of it', { skip: missing }, async () => {
  const { page } = await opened()
  const row = page.locator('#glance tr', { hasText: 'HAProxy, undici.request' }).last()
  assert.equal(await row.isVisible(), true)
  await page.getByLabel('HAProxy, undici.request').uncheck()
  assert.equal(await row.isVisible(), false)
  assert.equal(await page.locator('#glance tr', { hasText: 'HAProxy, fetch' }).last().isVisible(), true)
})

test('text can be told from its ground in light and in dark', { skip: missing }, async () => {
  for (const scheme of ['light', 'dark'] as const) {
    const { page } = await opened(scheme)
    const [ground, ink, soft] = await page.evaluate(`['background-color', 'color'].map((name) => getComputedStyle(document.body).getPropertyValue(name))
      .concat(getComputedStyle(document.querySelector('svg .small')).fill)`) as readonly string[]
    assert.ok(contrast(ground!, ink!) >= 7, `${scheme}: text has a contrast of ${contrast(ground!, ink!)}`)
    assert.ok(contrast(ground!, soft!) >= 4.5, `${scheme}: small text has a contrast of ${contrast(ground!, soft!)}`)
  }
})

test('what could not run says why, and hostile names are text', { skip: missing }, async () => {
  const { page } = await opened()
  assert.match(await page.locator('#glance').innerText(), /not run: no <envoy> on the PATH/)
  assert.equal(await page.locator('envoy').count(), 0)
})

test('the raw figures beside the page are those it was given', { skip: missing }, async () => {
  assert.deepEqual(JSON.parse(await readFile(join(directory, 'results.json'), 'utf8')), results)
})

/** Contrast by WCAG 2.2, "relative luminance". */
const contrast = (one: string, other: string): number => {
  const luminance = (colour: string): number => {
    const [red, green, blue] = colour.match(/\d+/g)!.map((part) => Number(part) / 255).map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!
  }
  const [darker, lighter] = [luminance(one), luminance(other)].toSorted((a, b) => a - b)
  return (lighter! + 0.05) / (darker! + 0.05)
}
