import type { Shop, ShopEvent } from './shop.ts'

/** What a mesh did, in words. */
export const narrate = (event: ShopEvent, shop: Shop): string => {
  const who = `${event.service}'s mesh`
  switch (event.event) {
    case 'endpoint-ejected': {
      const { endpoint, reason, duration } = event.detail
      return `${who} ejects ${shop.nameAt(endpoint)} for ${(duration / 1000).toFixed(1)} s: ${reason}`
    }
    case 'endpoint-probation': return `${who} puts ${shop.nameAt(event.detail.endpoint)} on probation: one request decides`
    case 'endpoint-returned': return `${who} takes ${shop.nameAt(event.detail.endpoint)} back`
    case 'panic-entered': {
      const { cluster, available, total } = event.detail
      return `${who} has ${available} of ${total} left of ${cluster}: uses them all`
    }
    case 'panic-left': return `${who} has ${event.detail.available} of ${event.detail.total} of ${event.detail.cluster} again`
    case 'breaker-opened': {
      const { cluster, failures, calls } = event.detail
      return `${who} opens the breaker of ${cluster}: ${failures} of ${calls} failed`
    }
    case 'breaker-half-opened': return `${who} half-opens the breaker of ${event.detail.cluster}`
    case 'breaker-closed': return `${who} closes the breaker of ${event.detail.cluster}`
    case 'config-applied': return `${who} applied a new configuration`
    default: return `${who}: ${event.event}`
  }
}
