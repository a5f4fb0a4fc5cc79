import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { MeshConfigError, type MeshInput } from '../../src/index.ts'
import { ProxyConfigError, proxyNames, toEnvoy, toHaproxy, type ProxyOptions } from '../../src/proxies/index.ts'
import { refusedBy } from '../../bench/proxy-process.ts'
import { single } from './definitions.ts'
import { messageFaults } from './envoy-messages.ts'
import { runnable, throughProxy, Upstream, without, writers } from './support.ts'

/** Pieces that mean something in one of the configurations. */
const pieces = ['"', "'", '\\', ';', '#', '$', '%[', '%', '{', '}', '\n', '\r', '\0', ' ', '\t', '`', '(', ')', ',', '|', '&', '=', '\u2028', 'é', '-i', '-f /etc/passwd', '--', '-m', 'if', 'unless',
  '}\nbackend evil\n', '";} evil on;', "' evil '", '$host', '${HOME}', '%[env(HOME)]', '\\Q', '\\E', '\\1', '(?<x>', '*', '+', '?', '[', ']', '^', '.', '~', '@', '/', 'a', 'Z', '9', '\\n', '\\x0a', '%0a']

const harmlessLooking = pieces.filter((piece) => /^[\x20-\x7e]+$/.test(piece))

// Mostly what is printable, since anything else is refused at once.
const hostile = fc.oneof(
  { weight: 4, arbitrary: fc.array(fc.constantFrom(...harmlessLooking), { minLength: 1, maxLength: 4 }) },
  { weight: 1, arbitrary: fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 6, unit: 'binary' })), { maxLength: 8 }) },
).map((parts) => parts.join(''))

type Place = (text: string) => { readonly config: MeshInput, readonly options?: ProxyOptions }

/** Where somebody else's words may stand. */
const places: Readonly<Record<string, Place>> = {
  'service': (text) => ({ config: { services: { [text]: ['10.0.0.1:80'] } } }),
  'cluster': (text) => ({ config: { services: { 'shop.test': { routes: [{ to: { [text]: 1, other: 1 } }] } }, clusters: { [text]: { registry: { type: 'none' } }, other: { registry: { type: 'none' } } } } }),
  'route name': (text) => ({ config: single({}, { name: text }) }),
  'path': (text) => ({ config: single({}, { match: { path: { exact: `/${text}` } } }) }),
  'path prefix': (text) => ({ config: single({}, { match: { path: { prefix: `/${text}` } }, rewrite: { prefix: '/x' } }) }),
  'path expression': (text) => ({ config: single({}, { match: { path: { regex: text } } }) }),
  'method': (text) => ({ config: single({}, { match: { method: text } }) }),
  'host': (text) => ({ config: single({}, { match: { host: text } }) }),
  'header name': (text) => ({ config: single({}, { match: { headers: { [text]: 'a' } } }) }),
  'header value': (text) => ({ config: single({}, { match: { headers: { 'x-a': text } } }) }),
  'header prefix': (text) => ({ config: single({}, { match: { headers: { 'x-a': { prefix: text } } } }) }),
  'header suffix, inverted': (text) => ({ config: single({}, { match: { headers: { 'x-a': { suffix: text, invert: true } } } }) }),
  'header expression': (text) => ({ config: single({}, { match: { headers: { 'x-a': { regex: text } } } }) }),
  'query name': (text) => ({ config: single({}, { match: { query: { [text]: 'a' } } }) }),
  'query value': (text) => ({ config: single({}, { match: { query: { a: text } } }) }),
  'query expression': (text) => ({ config: single({}, { match: { query: { a: { regex: text } } } }) }),
  'rewritten path': (text) => ({ config: single({}, { rewrite: { path: `/${text}` } }) }),
  'rewritten prefix': (text) => ({ config: single({}, { match: { path: { prefix: '/a' } }, rewrite: { prefix: `/${text}` } }) }),
  'rewritten host': (text) => ({ config: single({}, { rewrite: { host: text } }) }),
  'hashed cookie': (text) => ({ config: single({ balancer: { type: 'ring-hash', key: { cookie: text } } }) }),
  'hashed header': (text) => ({ config: single({ balancer: { type: 'ring-hash', key: { header: text } } }) }),
  'hashed parameter': (text) => ({ config: single({ balancer: { type: 'ring-hash', key: { query: text } } }) }),
  'retried method': (text) => ({ config: single({}, { retry: { methods: [text] } }) }),
  'checked path': (text) => ({ config: single({ healthCheck: { protocol: 'http', path: `/${text}` } }) }),
  'checked host': (text) => ({ config: single({ healthCheck: { protocol: 'http', host: text } }) }),
  'server name': (text) => ({ config: single({ tls: { servername: text } }) }),
  'certificate name': (text) => ({ config: single({ tls: { names: [text] } }) }),
  'authority file': (text) => ({ config: single({ tls: { ca: { file: text } } }) }),
  'host of an endpoint': (text) => ({ config: single({ registry: { type: 'static', endpoints: [`${text}:80`] } }) }),
  'hostname': (text) => ({ config: single({ registry: { type: 'dns', hostname: text, port: 80 } }), options: { resolvers: ['127.0.0.1'] } }),
  'option listen': (text) => ({ config: single(), options: { listen: text } }),
  'option resolvers': (text) => ({ config: single({ registry: { type: 'dns', hostname: 'a.test', port: 80 } }), options: { resolvers: [text] } }),
  'option admin': (text) => ({ config: single(), options: { admin: text } }),
  'option certificates': (text) => ({ config: single({ tls: true }), options: { certificates: { shop: { ca: text, bundle: text } } } }),
  'option systemAuthorities': (text) => ({ config: single({ tls: true }), options: { systemAuthorities: text } }),
}

/** Words of a line, as HAProxy takes it apart. */
const haproxyWords = (line: string): readonly string[] => {
  const words: string[] = []
  let word: string | undefined
  for (let i = 0; i < line.length; i++) {
    const character = line[i]!
    if (character === '#') break
    if (character === ' ' || character === '\t') { if (word !== undefined) words.push(word); word = undefined }
    else if (character === "'") {
      const end = line.indexOf("'", i + 1)
      assert.ok(end > 0, `a quote stays open: ${line}`)
      word = (word ?? '') + line.slice(i + 1, end)
      i = end
    } else if (character === '\\') word = (word ?? '') + (line[++i] ?? '')
    else {
      assert.notEqual(character, '"', `weak quotes, in which variables are replaced: ${line}`)
      word = (word ?? '') + character
    }
  }
  return word === undefined ? words : [...words, word]
}

/** What a configuration of HAProxy consists of: what each line is, without names and values. */
const haproxyShape = (text: string): readonly string[] => text.split('\n').map((line) => {
  const words = haproxyWords(line)
  assert.ok(!words.includes(''), `an empty word ends a line: ${line}`)
  return `${/^ /.test(line) ? ' ' : ''}${words[0] ?? ''} ${words[0] === 'acl' ? '' : words.length}`
})

/** Directives of nginx, as nginx takes them apart, each with its depth and how many words it has. */
const nginxShape = (text: string): readonly string[] => {
  const shape: string[] = []
  let words: string[] = []
  let depth = 0
  for (let i = 0; i < text.length;) {
    const character = text[i]!
    if (/\s/.test(character)) i++
    else if (character === '#') i = text.indexOf('\n', i)
    else if (character === ';' || character === '{') {
      // Keys of maps are values.
      shape.push(`${depth} ${/^(?:~|default$|[0-9*])/.test(words[0]!) || words[0] === '' ? 'key' : words[0]!} ${words.length}`)
      words = []
      if (character === '{') depth++
      i++
    } else if (character === '}') { assert.equal(words.length, 0); depth--; i++ }
    else if (character === '"') {
      let word = ''
      for (i++; text[i] !== '"'; i++) word += text[i] === '\\' && /["'\\]/.test(text[i + 1]!) ? text[++i]! : text[i]!
      words.push(word)
      i++
    } else {
      const [word] = /^[^\s;{"]+/.exec(text.slice(i))!
      words.push(word)
      i += word.length
    }
  }
  assert.equal(depth, 0)
  return shape
}

const shapes = { haproxy: haproxyShape, nginx: nginxShape } as const

/** Writes a configuration; `undefined` where it is refused, as it should be. */
const tried = (write: typeof toHaproxy, { config, options }: ReturnType<Place>): string | undefined => {
  try {
    return write(config, options).text
  } catch (error) {
    if (error instanceof ProxyConfigError || error instanceof MeshConfigError) return undefined
    throw error
  }
}

// Not the same for all: what is written in some places decides on how much is written around it.
const benign: Readonly<Record<string, string>> = {
  'service': 'a.test', 'method': 'GET', 'retried method': 'GET', 'header name': 'x-b', 'checked host': 'a.test', 'host': 'a.test', 'option listen': '127.0.0.1:80', 'option resolvers': '127.0.0.1', 'option admin': '127.0.0.1:81',
  'host of an endpoint': 'a.test', 'hostname': 'a.test', 'server name': 'a.test', 'certificate name': 'a.test', 'rewritten host': 'a.test',
}

/** Lines that depend on whether there is text at all, or on what it is. */
const settled = (shape: readonly string[], other: readonly string[]): boolean => shape.length === other.length && shape.every((line, index) => line === other[index])

describe('hostile words are quoted, or refused', () => {
  for (const proxy of runnable) {
    for (const [name, place] of Object.entries(places)) {
      test(`${name}, for ${proxy}`, () => {
        const plainly = shapes[proxy](tried(writers[proxy], place(benign[name] ?? 'abc'))!)
        const plainlyHere = [plainly, ...['10.0.0.1', '[::1]', 'spiffe://a/b', '10.0.0.1:81', 'abc/'].map((text) => tried(writers[proxy], place(text)))
          .flatMap((text) => text === undefined ? [] : [shapes[proxy](text)])]
        fc.assert(fc.property(hostile.filter((text) => text !== ''), (text) => {
          const written = tried(writers[proxy], place(text))
          if (written === undefined) return
          assert.match(written, /^[\n\x20-\x7e]*$/)
          const shape = shapes[proxy](written)
          assert.ok(plainlyHere.some((each) => settled(shape, each)), `${JSON.stringify(text)} changes what is written:\n${written}`)
        }), { numRuns: 60 })
      })
    }
  }

  for (const [name, place] of Object.entries(places)) {
    test(`${name}, for Envoy`, () => {
      fc.assert(fc.property(hostile, (text) => {
        const written = tried(toEnvoy, place(text))
        if (written !== undefined) assert.deepEqual(messageFaults(JSON.parse(written) as never, 'envoy.config.bootstrap.v3.Bootstrap', ''), [])
      }), { numRuns: 40 })
    })
  }
})

/** Header values that may be sent: printable, without space at their ends. */
const sendable = fc.array(fc.constantFrom(...harmlessLooking), { minLength: 1, maxLength: 6 }).map((parts) => parts.join('').trim()).filter((text) => text !== '')

for (const proxy of runnable) {
  test(`hostile header and query values find their own routes through ${proxy}`, { skip: without[proxy] }, async (t) => {
    const upstream = await Upstream.start(t, 'shop')
    const values = [...new Set(fc.sample(sendable, { numRuns: 60, seed: 7 }))]
    const config: MeshInput = {
      services: {
        'header.test': { routes: [...values.map((value, index) => ({ match: { headers: { 'x-a': value } }, to: 'shop', rewrite: { path: `/r${index}` } })), { to: 'shop' }] },
        'query.test': { routes: [...values.map((value, index) => ({ match: { query: { [value]: value } }, to: 'shop', rewrite: { path: `/r${index}` } })), { to: 'shop' }] },
      },
      clusters: { shop: { registry: { type: 'static', endpoints: [upstream.address] } } },
    }
    const way = await throughProxy(t, proxy, config)
    for (const [index, value] of values.entries()) {
      assert.equal((await way({ url: 'http://header.test/', headers: { 'x-a': value } })).asked?.url, `/r${index}`, value)
      assert.equal((await way({ url: 'http://header.test/', headers: { 'x-a': `${value}x` } })).asked?.url, '/', value)
      const query = new URLSearchParams([[value, value]]).toString()
      assert.equal((await way({ url: `http://query.test/?${query}` })).asked?.url, `/r${index}?${query}`, value)
    }
  })

  test(`${proxy} takes what was not refused`, { skip: without[proxy] }, async () => {
    for (const [name, place] of Object.entries(places)) {
      // What is not there (files, names without an address) is not what is asked about.
      if (/file|option|server name|expression|host of an endpoint|service/.test(name)) continue
      for (const text of fc.sample(hostile.filter((each) => each !== ''), { numRuns: 4, seed: name.length })) {
        const written = tried(writers[proxy], place(text))
        if (written !== undefined) assert.equal(await refusedBy(proxy, written), undefined, `${name} ${JSON.stringify(text)}`)
      }
    }
  })
}

test('what cannot be written says where it is, and what to do', () => {
  const refused = (config: MeshInput): string => {
    try {
      toHaproxy(config)
    } catch (error) {
      return (error as Error).message
    }
    return assert.fail('nothing was refused')
  }
  assert.match(refused(single({}, { match: { headers: { 'x-a': 'a\nb' } } })), /^services\["shop\.test"\]\.routes\[0\]\.match\.headers\["x-a"\]: holds characters beyond printable ASCII/)
  assert.match(refused(single({}, { match: { headers: { "x'a": 'a' } } })), /^services\["shop\.test"\]\.routes\[0\]\.match\.headers\["x'a"\]: 'x'a' is a header name that cannot be written/)
  assert.match(refused(single({}, { match: { path: { regex: '\\Qa' } } })), /has \\Q in its regular expression/)
  assert.match(refused({ services: { "it's.test": ['10.0.0.1:80'] } }), /^services\["it's\.test"\]: 'it's\.test' is a host that cannot be written/)
  assert.match(refused(single({}, { match: { path: { exact: `/${'a'.repeat(20_000)}` } } })), /takes 20003 characters, and at most 12000 fit/)
})

test('names of proxies are those of the writers', () => assert.deepEqual([...proxyNames], ['haproxy', 'nginx', 'envoy']))
