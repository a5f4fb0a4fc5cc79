'use strict'

/**
 * Zod keeps its settings and its registry here, so that several copies of it share them.
 * Nothing else reads these names; they are the only ones that loading enmesh may add.
 */
const zodsOwn = ['__zod_globalConfig', '__zod_globalRegistry']

/** What a library that meddles would replace. Not all: reading some makes Node load its own undici, which sets the dispatcher. */
const watched = ['fetch', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'Promise', 'Date', 'Error']

const look = () => ({ names: Reflect.ownKeys(globalThis), values: watched.map((name) => globalThis[name]) })

/** Names in the global scope and the values of some. Throws where the dispatcher is set already: that would hide a change. */
const snapshot = () => {
  for (const version of [1, 2]) {
    const name = `undici.globalDispatcher.${version}`
    if (globalThis[Symbol.for(name)] !== undefined) throw new Error(`${name} is set before the import that is to be watched`)
  }
  return look()
}

const missing = (names, from) => names.filter((name) => !from.includes(name))

/** The names that were added, removed or given another value since, as text; an empty list when none. */
const changesSince = (before) => {
  const after = look()
  return [
    ...missing(after.names, [...before.names, ...zodsOwn]).map((name) => `added ${String(name)}`),
    ...missing(before.names, after.names).map((name) => `removed ${String(name)}`),
    ...watched.filter((_, index) => before.values[index] !== after.values[index]).map((name) => `replaced ${name}`),
  ].sort()
}

module.exports = { snapshot, changesSince }
