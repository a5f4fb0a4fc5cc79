// Changes its working directory before it does anything.
process.chdir('/')
await import('./on-demand.mjs')
