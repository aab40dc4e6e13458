import { describe, expect, test } from 'vitest'
import { differenceOf, downgrades, isSame } from '../../lib/releases/difference.ts'
import { versionsOf, wantedOf } from '../../lib/releases/facts.ts'
import { bundle, facts, image, recordOf, running, site } from './made.ts'

const FILES = { 'app.yaml': 'aa', 'nginx.conf': 'bb' }
const SECRETS = { SESSION_KEY: '11' }
const now = bundle('1.0.0', { files: FILES, secrets: SECRETS })
const serves = facts({ release: '1.0.0', is: 'running', services: { web: running('1.0.0') } }, [recordOf('1.0.0', { bundle: now })])

describe('what a release changes', () => {
  const rows: readonly [string, Parameters<typeof bundle>[1], readonly RegExp[]][] = [
    ['nothing', {}, [/^ {2}web {2}unchanged: 1\.0\.0$/]],
    ['a file', { files: { ...FILES, 'nginx.conf': 'cc' } }, [/unchanged/, /^ {2}file nginx.conf: changed$/]],
    [
      'a new and a gone file',
      { files: { 'app.yaml': 'aa', 'new.yaml': 'dd' } },
      [/unchanged/, /new.yaml: new|nginx.conf: gone/, /new.yaml: new|nginx.conf: gone/],
    ],
    ['a secret, by its name alone', { secrets: { SESSION_KEY: '22' } }, [/unchanged/, /^ {2}secret SESSION_KEY: changed$/]],
    [
      'a version',
      { services: { web: { image: 'shop/web', version: '1.1.0', digest: 'sha256:1.1.0' } } },
      [/^ {2}web {2}1\.0\.0 → 1\.1\.0 {3}sha256:1\.0\.0… → sha256:1\.1\.0…$/],
    ],
    [
      'the same version of another image',
      { services: { web: { image: 'shop/web', version: '1.0.0', digest: 'sha256:other' } } },
      [/1\.0\.0 → 1\.0\.0 {3}sha256:1\.0\.0… → sha256:other…/],
    ],
    [
      'a service more',
      { services: { ...now.services, api: { image: 'shop/api', version: '1.0.0', digest: null } } },
      [/web {2}unchanged/, /api {2}new: 1\.0\.0 {2}no digest/],
    ],
    ['a service less', { services: { api: { image: 'shop/api', version: '1.0.0', digest: null } } }, [/api {2}new/, /web {2}gone: was 1\.0\.0/]],
  ]
  test.each(rows)('%s', (what, more, lines) => {
    const next = { ...now, release: 'next', ...more }
    const found = differenceOf(serves, next)
    expect(found).toHaveLength(lines.length)
    for (const [i, line] of lines.entries()) expect(found[i]).toMatch(line)
    expect(isSame(serves, next)).toBe(what === 'nothing')
  })

  test('nothing is the same as what nobody recorded, and nothing as nothing', () => {
    expect(isSame(facts(serves.serving), now)).toBe(false)
    expect(isSame(facts(null), now)).toBe(false)
    expect(differenceOf(facts(null), now)).toEqual([expect.stringMatching(/web {2}new: 1\.0\.0/)])
  })
})

test.each([
  ['1.9.0', '1.10.0', true],
  ['1.10.0', '1.9.0', false],
  ['v1.2.3', '1.2.4', true],
  ['1.2.3', '1.2.3', false],
  ['2.0.0-rc1', '1.9.9', false],
  ['0.9.9', '1.0.0-rc1', true],
  ['main', '1.0.0', false],
  ['1.0.0', 'main', false],
])('%s after %s is a downgrade: %s', (next, was, lower) => {
  const found = downgrades(facts({ release: 'r', is: 'running', services: { web: running(was) } }), [image(next)])
  expect(found).toEqual(lower ? [`web ${was} → ${next}`] : [])
})

describe('the versions that are wanted', () => {
  const both = facts({ release: 'r', is: 'running', services: { web: running('1.0.0'), api: running('2.0.0') } })
  const asked = (more: Partial<Parameters<typeof wantedOf>[2]>) => wantedOf(site(), both, { version: undefined, set: [], service: [], ...more })
  test.each([
    ['nothing is said: what serves', {}, { web: '1.0.0', api: '2.0.0' }],
    ['--version is of all', { version: '3' }, { web: '3', api: '3' }],
    ['--service chooses', { version: '3', service: ['api'] }, { web: '1.0.0', api: '3' }],
    ['--set says it of one', { set: ['web=4'] }, { web: '4', api: '2.0.0' }],
    ['--set goes before --version', { version: '3', set: ['web=4'] }, { web: '4', api: '3' }],
    ['a version may have an = in it', { set: ['web=a=b'] }, { web: 'a=b', api: '2.0.0' }],
  ])('%s', (_, given, wanted) => expect(asked(given)).toEqual(wanted))

  test('of what never served and is not said nobody knows one', () => {
    expect(wantedOf(site(), facts(null), { version: undefined, set: ['web=1'], service: [] })).toEqual({ web: '1', api: undefined })
  })

  test('in words they are one version, or each service’s own', () => {
    expect(versionsOf({})).toBe('nothing')
    expect(versionsOf({ web: { version: '1' }, api: { version: '1' } })).toBe('1')
    expect(versionsOf({ web: { version: '1' }, api: { version: '2' } })).toBe('web 1, api 2')
  })
})
