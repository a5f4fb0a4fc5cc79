// Asks each URL that it is given, and prints what it gets.
for (const url of process.argv.slice(2)) {
  try {
    console.log(await (await fetch(url)).text())
  } catch (error) {
    console.log(`${error.name}: ${error.message}, because of ${error.cause.code}`)
  }
}
