// Asks in a worker of node:cluster, and in a child that is forked.
const { fork } = require('node:child_process')
const cluster = require('node:cluster')

const url = process.argv.at(-1)
if (cluster.isPrimary && !process.send) {
  cluster.fork()
  fork(__filename, [url])
} else {
  fetch(url).then((response) => response.text()).then((text) => {
    console.log(text)
    process.exit()
  })
}
