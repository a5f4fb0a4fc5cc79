import { bold, green, print, red } from './terminal.ts'

/** What the gateway says to those who ask for what they may not have; returns the claims that did not hold. */
export const atTheDoor = async (address: string): Promise<readonly string[]> => {
  print(`\n${bold('At the door')}`)
  const claims: readonly (readonly [string, string, RequestInit])[] = [
    ['nothing but orders is served', '/admin', {}],
    ['orders are not deleted', '/orders/1', { method: 'DELETE' }],
  ]
  const failed: string[] = []
  for (const [claim, path, init] of claims) {
    const response = await fetch(`http://${address}${path}`, init)
    const code = response.headers.get('enmesh-error')
    await response.body?.cancel()
    const holds = response.status === 404 && code === 'ENMESH_NO_ROUTE'
    print(`  ${holds ? green('✓') : red('✗')} ${claim}: ${init.method ?? 'GET'} ${path} is answered ${response.status}, enmesh-error: ${code}`)
    if (!holds) failed.push(`at the door: ${claim}`)
  }
  return failed
}
