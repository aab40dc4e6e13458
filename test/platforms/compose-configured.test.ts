import { expect, test } from 'vitest'
import { missingFrom, missingRules } from '../../lib/platforms/compose/configured/contains.ts'

const FILE = {
  global: { scrape_interval: '60s' },
  rule_files: ['alert_rules.yml'],
  scrape_configs: [{ job_name: 'api', basic_auth: { password: 'x' }, static_configs: [{ targets: ['a:1'] }], honor_labels: false }],
}

/** The same as Prometheus prints it: with defaults, whole paths, and nothing of passwords. */
const SAID = {
  global: { scrape_interval: '1m', evaluation_interval: '1m' },
  rule_files: ['/etc/prometheus/alert_rules.yml'],
  scrape_configs: [{ job_name: 'api', scheme: 'http', basic_auth: { password: '<secret>' }, static_configs: [{ targets: ['a:1'] }] }],
}

test('a configuration is found in what a service prints, whatever it adds and however it spells it', () => {
  expect(missingFrom(FILE, SAID)).toBeUndefined()
  expect(missingFrom({ matchers: ["severity = 'page'"], off: null }, { matchers: ['severity="page"'] })).toBeUndefined()
})

test.each([
  ['another time', { global: { scrape_interval: '30s' } }, 'global.scrape_interval ("1m" instead of "30s")'],
  ['another file of rules', { rule_files: ['other.yml'] }, 'rule_files[0]'],
  ['a job more', { scrape_configs: [...FILE.scrape_configs, { job_name: 'new' }] }, 'scrape_configs (1 instead of 2)'],
  [
    'another target',
    { scrape_configs: [{ job_name: 'api', static_configs: [{ targets: ['b:1'] }] }] },
    'scrape_configs[0].static_configs[0].targets[0]',
  ],
  ['something that it does not have', { remote_write: [{ url: 'http://x' }] }, 'remote_write'],
])('%s is missing, by its place', (_, file, place) => {
  expect(missingFrom(file, SAID)).toContain(place)
})

const RULE = { alert: 'Down', for: '60s', labels: { severity: 'page', tier: 1 }, annotations: { says: 'gone' } }
const TOLD = { name: 'Down', duration: 60, query: 'up == 0', labels: { severity: 'page', tier: '1' }, annotations: { says: 'gone' } }
const group = (...rules: object[]) => [{ name: 'own', rules }] as never

test('rules are the same whatever YAML makes of their labels and times', () => {
  expect(missingRules(group({ ...RULE, for: '1m' }), group(TOLD))).toBeUndefined()
  expect(missingRules(group({ record: 'a:b', expr: 'x' }), group({ name: 'a:b', query: 'x' }))).toBeUndefined()
})

test.each([
  ['another time', { for: '2m' }],
  ['another label', { labels: { severity: 'info', tier: 1 } }],
  ['another text', { annotations: { says: 'there' } }],
])('a rule with %s is another rule', (_, other) => {
  expect(missingRules(group({ ...RULE, ...other }), group(TOLD))).toBe('the rules of own')
})

test('a rule that no file has any more is seen', () => {
  expect(missingRules([], group(TOLD))).toBe('rules that no file has')
})
