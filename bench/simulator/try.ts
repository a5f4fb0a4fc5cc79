import { scenarios } from './scenarios.ts'
import { World } from './world.ts'
const [only, ...types] = process.argv.slice(2)
for (const s of scenarios) {
  if (only && only !== 'all' && !only.split(',').some((o) => s.name.includes(o))) continue
  for (const t of types) {
    const [type, opts] = t.split(':')
    const t0 = performance.now()
    const w = new World({ type: type!, ...(opts ? JSON.parse(opts.replaceAll('=', ':')) : {}) }, s.policies ?? {}, 1)
    const p = await s.prepare(w)
    const t1 = performance.now()
    const f = await w.run(p.rate, s.phases, p.watched)
    const t2 = performance.now()
    console.log(s.name, t, `setup ${(t1 - t0) | 0} run ${(t2 - t1) | 0} ms, ${Math.round(w.clock.events / (t2 - t1))} kev/s`, JSON.stringify(Object.fromEntries(w.told)))
    f.forEach((x, i) => console.log('  ', s.phases[i]!.name, Object.entries(x).map(([k, v]) => `${k} ${Math.round(v * 100) / 100}`).join(' ')))
    await w.close()
  }
}
