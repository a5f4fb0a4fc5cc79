// Knows that it is meshed.
import { mesh } from 'enmesh/register'

const response = await mesh.fetch(process.argv[2]!)
console.log(await response.text())
console.log(Object.keys(mesh.status().services).join(), mesh.trail(response)?.attempts.length)
await mesh.close()
