/**
 * Pricing: what an article costs. What it does is in `app.ts`.
 * It calls nobody, so it needs no mesh; order finds and reaches it through its own.
 *
 *     VERSION=2.0.0 PORT=8083 node examples/pricing/pricing.ts
 */
import { createServer } from 'node:http'
import { listener, serve } from '../service.ts'
import { pricingApp } from './app.ts'
import { chaotic } from './chaos.ts'

const { VERSION = '1.0.0' } = process.env

serve(`pricing ${VERSION}`, createServer(listener(chaotic(pricingApp(VERSION)))), 8082)
