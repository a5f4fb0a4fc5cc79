/**
 * Pricing: what an article costs. What it does is in `app.ts`.
 * It calls nobody, so it needs no mesh; order finds and reaches it through its own. Its part of each trace it tells all the same.
 *
 *     VERSION=2.0.0 PORT=8083 node --conditions=enmesh:source examples/pricing/pricing.ts
 */
import { createServer } from 'node:http'
import { withPassport } from 'enmesh/server'
import { listener, serve } from '../service.ts'
import { startTelemetry } from '../telemetry.ts'
import { pricingApp } from './app.ts'
import { chaotic } from './chaos.ts'

const { VERSION = '1.0.0' } = process.env

const stopTelemetry = await startTelemetry('pricing')

serve(`pricing ${VERSION}`, createServer(withPassport(listener(chaotic(pricingApp(VERSION))))), 8082, stopTelemetry)
