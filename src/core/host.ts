import { isIPv4 } from 'node:net'

// What would end the host in a URL, or what a URL drops without a word: control characters, spaces, delimiters.
const foreign = /[\0-\x20\x7f/\\?#@]/

/**
 * One spelling for all spellings of a host, as a WHATWG URL has it: lower case, no trailing dots, IDNA as Punycode,
 * IPv4 in dotted decimals (`0x7f.1` is `127.0.0.1`), IPv6 compressed and in brackets.
 * Takes a host without a port; `undefined` for what is no host.
 */
export const normaliseHost = (host: string): string | undefined => {
  // Registries name thousands of these at once, spelt as they should be: they need not go through the parser of URLs.
  if (isIPv4(host)) return host
  const bare = host.replace(/\.+$/, '')
  if (bare === '' || foreign.test(bare) || (bare.includes(':') && !/^\[[^\]]*\]$/.test(bare))) return undefined
  const url = URL.parse(`http://${bare}`)
  if (!url || url.hostname === '') return undefined
  // Escapes and other scripts' full stops turn into dots only now, and what is before them may be an address.
  return url.hostname.endsWith('.') ? normaliseHost(url.hostname) : url.hostname
}
