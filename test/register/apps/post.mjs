// Posts in the ways that applications do.
const [url] = process.argv.slice(2)
const form = new FormData()
form.set('a', 'b')
const stream = new ReadableStream({ start(controller) { controller.enqueue(new TextEncoder().encode('streamed')); controller.close() } })
for (const init of [
  { body: 'text' },
  { body: JSON.stringify({ a: 'b' }), headers: { 'content-type': 'application/json', 'content-length': '9' } },
  { body: new URLSearchParams({ a: 'b' }) },
  { body: form },
  { body: stream, duplex: 'half' },
]) console.log(await (await fetch(url, { method: 'POST', ...init })).text())
