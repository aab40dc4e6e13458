import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Monitoring, monitoring } from '../releases/configured/world.ts'
import { describeWith } from '../testbed/index.ts'
import { jsonOf, type Ran } from './kit.ts'

const BOTH = ['--service=prometheus', '--service=alertmanager']

/** What was said, without the breaks of its lines. */
const words = ({ stdout, stderr }: Ran) => `${stdout}\n${stderr}`.replaceAll(/\s+/g, ' ')

/** Everything that was said, for when a test fails. */
const all = ({ exit, stdout, stderr }: Ran) => `exit ${exit}\n${stdout}\n${stderr}`

describeWith(['docker', 'nginx-image', 'monitoring'], 'services that are deployed by new configuration', () => {
  let it: Monitoring
  const live = (service: string, file: string) => join(it.directory, '.runbooks/configured', service, 'live/files', file)
  const kept = (service: string) => readdirSync(join(it.directory, '.runbooks/configured', service, 'kept'))
  const interval = async () => /scrape_interval: (\w+)/.exec(await it.ask('prometheus', '/api/v1/status/config'))?.[1]
  beforeAll(async () => {
    it = await monitoring()
  }, 120_000)
  afterAll(async () => {
    await it?.close()
  }, 60_000)

  test('the first deploy of all starts them, and ends when they say that they run their files', { timeout: 120_000 }, async () => {
    const ran = await it.play('deploy', [...BOTH, '--yes'])
    expect(ran.exit, all(ran)).toBe(0)
    expect(ran.last).toContain('prometheus v3.5.0, alertmanager v0.28.1 run their configurations and say so')
    expect(await interval()).toBe('15s')
    expect(await it.ask('alertmanager', '/api/v2/status')).toContain('receiver: discord')
    const again = await it.play('deploy', [...BOTH, '--yes'])
    expect(again.exit, all(again)).toBe(3)
    expect(words(again)).toContain('already runs with the same files and secrets')
  })

  test('new files are read without a restart, and what the service then says is the evidence', { timeout: 60_000 }, async () => {
    const before = it.container('prometheus')
    it.change('prometheus/prometheus.yml', text => text.replace('scrape_interval: 15s', 'scrape_interval: 60s'))
    it.change('prometheus/alert_rules.yml', text => text.replace(/for: 1m/, 'for: 90s'))
    const ran = await it.play('deploy', ['--service=prometheus', '--json', '--yes'])
    expect(ran.exit, all(ran)).toBe(0)
    expect(jsonOf(ran)).toMatchObject({ word: 'CONFIGURED', result: { services: { prometheus: { version: 'v3.5.0' } } } })
    expect(await interval()).toBe('1m')
    expect(await it.ask('prometheus', '/api/v1/rules')).toContain('"duration":90')
    expect(it.container('prometheus')).toBe(before)
    const health = await it.play('health-check', ['--only=prometheus', '--only=alertmanager'])
    expect(health.exit, all(health)).toBe(0)
  })

  test.each([
    [
      'prometheus',
      'prometheus/prometheus.yml',
      'scrape_interval: 60s',
      'scrape_interval: soon',
      /promtool check config .* exited 1:.*not a valid duration/,
    ],
    ['prometheus', 'prometheus/alert_rules.yml', 'expr: ', 'expr: (', /promtool check config .* exited 1:.*parse error/],
    [
      'alertmanager',
      'alertmanager/alertmanager.yml',
      'receiver: discord',
      'receiver: nobody',
      /amtool check-config .* exited 1:.*undefined receiver/,
    ],
  ])('a broken file of %s (%s) is refused in the tool’s words, and nothing changes', { timeout: 60_000 }, async (service, file, from, to, told) => {
    const [before, files] = [it.container(service), kept(service)]
    const good = readFileSync(join(it.assets, file), 'utf8')
    it.change(file, text => text.replace(from, to))
    try {
      const ran = await it.play('deploy', [`--service=${service}`, '--yes'])
      expect(ran.exit, all(ran)).toBe(4)
      expect(words(ran)).toMatch(told)
      expect(ran.last).toContain(`${service} runs its former configuration`)
      expect(readFileSync(live(service, file), 'utf8')).toBe(good)
      expect([it.container(service), kept(service)]).toEqual([before, files])
    } finally {
      writeFileSync(join(it.assets, file), good)
    }
  })

  test('what was changed by hand is seen, and the next deploy replaces it', { timeout: 60_000 }, async () => {
    const file = live('prometheus', 'prometheus/prometheus.yml')
    const good = readFileSync(file, 'utf8')
    writeFileSync(file, good.replace('scrape_interval: 60s', 'scrape_interval: 5s'))
    const changed = await it.play('health-check', ['--only=prometheus'])
    expect(changed.exit, all(changed)).toBe(7)
    expect(words(changed)).toContain('files were changed by hand: prometheus/prometheus.yml')
    // The file as it was, but a service that runs another one.
    it.engine.docker('kill', '--signal', 'HUP', it.container('prometheus').split(' ')[0] ?? '')
    await expect.poll(interval, { timeout: 10_000 }).toBe('5s')
    writeFileSync(file, good)
    const other = await it.play('health-check', ['--only=prometheus'])
    expect(other.exit, all(other)).toBe(7)
    expect(words(other)).toContain('it says that it runs another configuration than was verified')
    const ran = await it.play('deploy', ['--service=prometheus', '--yes'])
    expect(ran.exit, all(ran)).toBe(0)
    expect(await interval()).toBe('1m')
  })

  test('a service that does not read its files when told to is found out, and gets its old ones back', { timeout: 120_000 }, async () => {
    const other = await it.play('deploy', ['--set=prometheus=v3.6.0', '--yes'])
    expect(other.exit, all(other)).toBe(0)
    expect(other.last).toContain('prometheus v3.6.0')
    it.change('prometheus/prometheus.yml', text => text.replace('scrape_interval: 60s', 'scrape_interval: 30s'))
    const ran = await it.play('deploy', ['--service=prometheus', '--yes'])
    expect(ran.exit, all(ran)).toBe(4)
    expect(words(ran)).toContain('it has not read its configuration since it was changed')
    expect(readFileSync(live('prometheus', 'prometheus/prometheus.yml'), 'utf8')).toContain('scrape_interval: 60s')
    expect(await interval()).toBe('1m')
    const health = await it.play('health-check', ['--only=prometheus'])
    expect(health.exit, all(health)).toBe(0)
  })

  test('rolling back brings the image and the files of before', { timeout: 60_000 }, async () => {
    const ran = await it.play('rollback', ['--service=prometheus', '--yes'])
    expect(ran.exit, all(ran)).toBe(0)
    expect(ran.last).toMatch(/^ROLLED BACK .*prometheus v3\.5\.0 runs its configuration/)
    expect(await interval()).toBe('1m')
    expect(existsSync(join(it.directory, '.runbooks/configured/prometheus/live/release'))).toBe(true)
  })

  test.each([
    [['--service=prometheus', '--service=api', '--version=1.0.0'], /api is released in slots, prometheus by new configuration: they are two runs/],
    [['--service=prometheus', '--service=nobody'], /There is no service "nobody"; there are api, prometheus, alertmanager, grafana, node-exporter/],
    [['--service=prometheus', '--set=prometheus='], /--set=prometheus= is written --set <service>=<version>/],
  ])('%j is refused', async (flags, told) => {
    const ran = await it.play('deploy', [...flags, '--yes'])
    expect(ran.exit, all(ran)).toBe(2)
    expect(words(ran)).toMatch(told)
  })
})
