import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ROOT } from '../runbooks/kit.ts'
import { composeOf, filesOf, filled, STACKS, textOf } from './assets.ts'

/** The directives of a file of nginx, without comments, one a line. */
const directives = (stack: string, path: string): string[] =>
  textOf(stack, path)
    .split('\n')
    .map(line => line.replace(/^\s*#.*$/, '').trim())
    .filter(line => line !== '')

/** Everything between the braces of a block. */
const inside = (stack: string, path: string, head: string): string => {
  const text = textOf(stack, path)
  const from = text.indexOf(`${head} {`)
  return text.slice(from, text.indexOf('\n}', from))
}

const SHARED = ['nginx.conf', 'headers.conf', 'proxy.conf', 'control.conf', 'tls.conf', 'to-https.conf'].map(name => `nginx/${name}`)

describe.each(STACKS)('the front door of %s', stack => {
  test('differs from the others only in where requests go', () => {
    expect(filesOf(stack).filter(path => path.startsWith('nginx/'))).toEqual([...SHARED, 'nginx/site.conf', 'nginx/upstreams.conf'].sort())
    for (const path of [...SHARED, 'runbooks/split.conf']) expect(textOf(stack, path)).toBe(textOf('ecosyste', path))
  })

  test('has one upstream a slot and service, on the port and under the name that the service has', () => {
    const services = Object.entries(composeOf(stack, 'app.yaml').services ?? {})
    const wanted = services.flatMap(([name, service]) =>
      ['blue', 'green'].map(slot => [
        `upstream ${name}-${slot} {`,
        `server ${name}-${slot}:${filled(String(service.environment?.PORT))} resolve max_fails=0;`,
      ]),
    )
    const upstreams = directives(stack, 'nginx/upstreams.conf')
    const found = upstreams.flatMap((line, n) => (line.startsWith('upstream ') ? [[line, upstreams[n + 2]]] : []))
    expect(found.sort()).toEqual(wanted.sort())
    // Without a zone, `resolve` is refused; without both of the others, requests meet connections that Node has closed.
    for (const directive of ['keepalive 32;', 'keepalive_timeout 4s;'])
      expect(upstreams.filter(line => line === directive)).toHaveLength(wanted.length)
    expect(upstreams.filter(line => line.startsWith('zone '))).toHaveLength(wanted.length)
  })

  test('sends every request to the track of a service that there is', () => {
    const services = Object.keys(composeOf(stack, 'app.yaml').services ?? {})
    const passes = directives(stack, 'nginx/site.conf').filter(line => line.startsWith('proxy_pass'))
    expect(passes.length).toBeGreaterThan(1)
    expect(passes.filter(line => !services.some(name => line === `proxy_pass http://${name}-$track;`))).toEqual([])
  })

  test('limits the API, and answers 429 rather than what a failing release would', () => {
    const api = inside(stack, 'nginx/site.conf', stack === 'benevoclic' ? 'location /' : 'location /api/')
    expect(api).toContain('limit_req zone=api burst=20 nodelay;')
    expect(inside(stack, 'nginx/site.conf', 'location = /health')).not.toContain('limit_req')
    expect(directives(stack, 'nginx/nginx.conf')).toEqual(
      expect.arrayContaining(['limit_req_zone $binary_remote_addr zone=api:10m rate=10r/s;', 'limit_req_status 429;']),
    )
    expect(inside(stack, 'nginx/site.conf', 'location = /metrics')).toContain('return 404;')
  })

  test('reads where requests go from the folder that is mounted for it', () => {
    const volumes = composeOf(stack, 'edge.yaml').services?.nginx?.volumes
    expect(volumes).toContain(`\${RUNBOOKS_DIR:-./runbooks}:/etc/runbooks:ro`)
    expect(directives(stack, 'nginx/nginx.conf')).toContain('include /etc/runbooks/split.conf;')
  })

  test('sends everything to blue by itself, and lets nobody choose a slot', () => {
    expect(directives(stack, 'runbooks/split.conf').join(' ')).toBe(
      "map '' $slot { default blue; } map '' $generation { default none; } map $http_x_runbooks_track $track { default $slot; }",
    )
  })
})

test.each([...STACKS.map(stack => `compose/${stack}/README.md`), 'docs/compose.md'])(
  'the command of %s that moves the traffic by hand moves it',
  page => {
    const [, from = '', to = ''] = /sed -i 's\/([^/]+)\/([^/]+)\/' runbooks\/split\.conf/.exec(readFileSync(join(ROOT, page), 'utf8')) ?? []
    const moved = textOf('ecosyste', 'runbooks/split.conf').replace(from, to)
    expect(moved).toContain("map '' $slot {\n  default green;\n}")
    expect(moved).not.toContain('default blue;')
  },
)

describe('nginx', () => {
  test('includes only files that are there', () => {
    const files = filesOf('ecosyste').filter(path => path.startsWith('nginx/'))
    const included = files.flatMap(path => directives('ecosyste', path).flatMap(line => /^include ([^/]\S*);/.exec(line)?.[1] ?? []))
    expect(included.length).toBeGreaterThan(4)
    expect(included.filter(name => !files.includes(`nginx/${name}`))).toEqual([])
  })

  test('a location with headers of its own would lose those of the door: none has any', () => {
    for (const stack of STACKS)
      for (const path of ['nginx/site.conf', 'nginx/control.conf', 'nginx/to-https.conf'])
        expect(textOf(stack, path)).not.toMatch(/add_header|proxy_set_header/)
  })

  test('says to private addresses alone which slot was drawn, before anything that `return` would skip', () => {
    for (const head of ['location = /.generation', 'location = /.slot'])
      expect(inside('ecosyste', 'nginx/control.conf', head)).toMatch(/if \(\$private = 0\) \{\s+return 404;\s+\}\s+return 200 /)
    expect(textOf('ecosyste', 'nginx/control.conf')).not.toMatch(/^\s*(allow|deny)/m)
  })

  test('answers what the toolkit asks with and without TLS', () => {
    for (const path of ['nginx/site.conf', 'nginx/to-https.conf']) expect(directives('ecosyste', path)).toContain('include control.conf;')
  })

  test('writes the track, the slot and the generation of every request, and no query', () => {
    const log = /log_format track escape=json([\s\S]*?);/.exec(textOf('ecosyste', 'nginx/nginx.conf'))?.[1] ?? ''
    const line = [...log.matchAll(/'([^']*)'/g)].map(([, part]) => part).join('')
    const sample = line.replace(/:\$\w+/g, ':1').replace(/\$(\w+)/g, '$1')
    expect(Object.keys(JSON.parse(sample) as object)).toEqual(
      expect.arrayContaining(['time', 'status', 'track', 'slot', 'generation', 'upstream_status', 'seconds']),
    )
    expect(log).not.toMatch(/\$request_uri|\$args|\$query_string|\$request"/)
  })

  test('writes nowhere but to /tmp, where it has room to write', () => {
    const places = directives('ecosyste', 'nginx/nginx.conf').flatMap(line => /^(?:pid|\w+_temp_path) (\S+);/.exec(line)?.[1] ?? [])
    expect(places).toHaveLength(6)
    expect(places.filter(place => !place.startsWith('/tmp/'))).toEqual([])
  })
})
