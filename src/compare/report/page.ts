import type { ArrangementInfo, Both, CaseResult, FaultResult, Results, Round } from '../results.ts'
import { barChart, hatch } from './bars.ts'
import { distributionChart } from './distribution.ts'
import { headlines } from './headlines.ts'
import { html, Markup, type Part } from './html.ts'
import { looksOf, type Look } from './looks.ts'
import { method } from './method.ts'
import { shown, time, whole } from './numbers.ts'
import { style } from './style.ts'
import { caseTable, faultTable, lossTable, startTable } from './tables.ts'
import { timelineChart } from './timeline.ts'

/** The whole report as one HTML document that needs nothing else: no script, no font, no network. */
export const page = (results: Results): string => {
  const looks = [...looksOf(results.arrangements).values()]
  return `<!doctype html>\n${html`<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Side by side with the sidecar</title><style>${style}${hidden(looks)}</style><link rel="icon" href="data:,"></head><body>${hatch}<main>
<h1>Side by side with the sidecar</h1>
<p>Calls between services: plain, through a mesh inside the process, through a proxy beside it, and as put together by hand.
${results.began.slice(0, 16).replace('T', ' ')} UTC, ${results.rounds} ${results.rounds === 1 ? 'round' : 'rounds'}, ${shown(results.seconds / 60)} minutes, on ${results.machine.cores} cores. The raw figures: <a href="results.json">results.json</a>.</p>
<nav><a href="#glance">At a glance</a><a href="#cases">All well</a><a href="#faults">When things break</a><a href="#start">Start-up</a><a href="#arrangements">Arrangements</a><a href="#method">Method and limits</a></nav>
${chooser(looks)}
<section id="glance"><h2>At a glance</h2>${headlines(results)}${results.faults.length === 0 ? undefined
  : html`<h3>Calls lost when things break</h3><p>Failed, or answered by the wrong version, of all calls of the run.</p>${lossTable(results.faults, looks)}`}</section>
<section id="cases"><h2>All well</h2><p>${results.rounds === 1 ? 'One round: nobody knows the spread, so nothing is marked as the best.' : 'Medians of the rounds, with their range. Bold is what nothing beats; figures whose ranges meet are a tie.'}</p>${results.cases.length === 0 ? notAsked : results.cases.map((result) => caseSection(result, results, looks))}</section>
<section id="faults"><h2>When things break</h2><p>Bars are calls by slice of time: answered, <span style="color:var(--bad)">failed</span>, <span style="color:var(--wrong)">answered by the wrong version</span>. The line below is the p99. Drawn is the round in the middle by what it lost; of two, the one that lost more. Numbers are what happened, listed below each chart. Of plain clients and of proxies only those with fetch go through faults: what is at fault does not know which client called.</p>${
    results.faults.length === 0 ? notAsked : results.faults.map((fault) => faultSection(fault, looks))}</section>
<section id="start"><h2>Start-up</h2><p>From the start of a process to its first answer.</p>${results.starts.length === 0 ? notAsked : startTable(results.starts, looks)}</section>
<section id="arrangements"><h2>Arrangements</h2>${results.arrangements.map(arrangementSection)}</section>
<section id="method"><h2>Method and limits</h2>${method(results)}</section>
</main></body></html>`.text}\n`
}

const notAsked = html`<p class="none">Not part of this run.</p>`

/** Unticking an arrangement hides all that is drawn of it, without a script. */
const hidden = (looks: readonly Look[]): Markup => new Markup(looks.map(({ className }) => `body:has(#show-${className}:not(:checked)) main .${className} { display: none }`).join('\n'))

const chooser = (looks: readonly Look[]): Markup => html`<fieldset><legend>Shown</legend>${looks.map(({ arrangement, className, colour, dash }) =>
  html`<label><input type="checkbox" id="show-${className}" checked><svg viewBox="0 0 26 8" aria-hidden="true"><path d="M0 4H26" stroke="${colour}" stroke-width="3" stroke-dasharray="${dash}"/></svg>${arrangement.title}</label>`)}</fieldset>`

const both = (result: CaseResult, looks: readonly Look[], of: (round: Round) => Both): readonly { readonly look: Look, readonly rounds: readonly Both[] }[] =>
  looks.map((look) => ({ look, rounds: (result.measured.find(({ arrangement }) => arrangement === look.arrangement.id)?.rounds ?? []).map(of) }))

const caseSection = (result: CaseResult, { quantiles }: Results, looks: readonly Look[]): Part => {
  if (result.measured.length === 0) {
    return html`<article id="case-${result.id}"><h3>${result.title}</h3><p>${conditions(result)}</p><p class="none">Not run${result.notRun === undefined ? '' : `: ${result.notRun}`}</p></article>`
  }
  const byId = new Map(looks.map((look) => [look.arrangement.id, look]))
  const cpu = both(result, looks, ({ cpu: { application, proxy } }) => ({ application: application * 1_000, proxy: proxy * 1_000 }))
  return html`<article id="case-${result.id}"><h3>${result.title}</h3><p>${conditions(result)}</p>
${distributionChart(result, quantiles, byId)}
${barChart('CPU', 'µs of CPU for a call; hatched is the proxy', cpu)}
${barChart('Memory', 'MiB; hatched is the proxy', both(result, looks, ({ memory }) => memory))}
<details><summary>All figures</summary>${caseTable(result, looks)}</details></article>`
}

const conditions = ({ subject, inFlight, rate, bodyBytes, mutualTls, cores }: CaseResult): string => [
  subject === 'shop' ? 'The whole shop: gateway, order, pricing.' : 'One client and its services.',
  rate === undefined ? `Always ${whole(inFlight ?? 1)} calls in flight.` : `${whole(rate)} calls per second are due, whatever became of those before.`,
  `Bodies of ${whole(bodyBytes)} bytes, ${mutualTls ? 'mutual TLS to the services' : 'no TLS'}.`,
  ...cores === undefined ? [] : [cores],
].join(' ')

const faultSection = (fault: FaultResult, looks: readonly Look[]): Part => html`<article id="fault-${fault.id}"><h3>${fault.title}</h3><p>${fault.what}</p>
${timelineChart(fault, looks)}${fault.marks.length === 0 ? undefined : html`<ol class="marks">${fault.marks.map(({ at, what }) => html`<li>${what}, ${time(at)} after the beginning</li>`)}</ol>`}<details><summary>All figures</summary>${faultTable(fault, looks)}</details></article>`

const arrangementSection = ({ title, how, unexpressed, notRun }: ArrangementInfo): Markup => html`<h3>${title}</h3><p>${how}</p>${
  notRun === undefined ? undefined : html`<p class="none">Not run: ${notRun}</p>`}${
  unexpressed.length === 0 ? undefined : html`<p>Of the definition it cannot express, or only otherwise:</p><ul>${unexpressed.map((line) => html`<li>${line}</li>`)}</ul>`}`
