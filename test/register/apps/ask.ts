const urls: readonly string[] = process.argv.slice(2)
for (const url of urls) console.log(await (await fetch(url)).text())
