const socket = new WebSocket(process.argv[2])
socket.addEventListener('message', ({ data }) => {
  console.log(`heard ${data}`)
  socket.close()
})
socket.addEventListener('error', ({ error }) => console.log(String(error)))
