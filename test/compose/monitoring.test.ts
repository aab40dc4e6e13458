import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeWith } from '../testbed/index.ts'
import { find } from '../testbed/tools.ts'
import { composeOf, filled, folderOf, textOf, yamlOf } from './assets.ts'
import { alertmanager, discord } from './discord.ts'
import { run } from './kit.ts'

const PROMETHEUS = join(folderOf('benevoclic'), 'prometheus')
const ALERTMANAGER = join(folderOf('benevoclic'), 'alertmanager')

const promtool = (argv: readonly string[], folder = PROMETHEUS) => run(folder, find('promtool') ?? '', argv)

describeWith('promtool', 'Prometheus of benevoclic', () => {
  test('reads its configuration and its rules', () => {
    expect(promtool(['check', 'config', 'prometheus.yml'])).toMatchObject({ status: 0, stdout: expect.stringContaining('4 rules found') })
  })

  test('fires when it should, and not before', () => {
    const { status, stdout, stderr } = promtool(['test', 'rules', 'alert_rules.test.yml'])
    expect(status, stdout + stderr).toBe(0)
  })

  test.each([
    ['benevoclic:api_up == 0', 'benevoclic:api_up == 1'],
    ['max(up{job="benevoclic-api"}) or vector(0)', 'max(up{job="benevoclic-api"})'],
    ['max(up{job="benevoclic-api"}) or vector(0)', 'min(up{job="benevoclic-api"}) or vector(0)'],
    [',path!~"/(health|metrics)",route!~"/(health|metrics)"', ''],
    ['and on () count(http_requests_total{job="benevoclic-api"}) > 0', ''],
    ['(max(up{job="node-exporter"}) or vector(0)) == 0', '(max(up{job="node-exporter"}) or vector(0)) == 1'],
  ])('its tests notice a rule in which %s became %s', (from, to) => {
    const folder = mkdtempSync(join(tmpdir(), 'runbooks-rules-'))
    try {
      cpSync(PROMETHEUS, folder, { recursive: true })
      const rules = readFileSync(join(folder, 'alert_rules.yml'), 'utf8')
      expect(rules).toContain(from)
      writeFileSync(join(folder, 'alert_rules.yml'), rules.replace(from, to))
      expect(promtool(['test', 'rules', 'alert_rules.test.yml'], folder).status).toBe(1)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

/** The version of an installed amtool; webhook_url_file of Discord is known from 0.28 on. */
const version = (): number =>
  Number(/version 0\.(\d+)/.exec(Object.values(run(ALERTMANAGER, find('amtool') ?? 'false', ['--version'])).join(''))?.[1])

describeWith('amtool', 'Alertmanager of benevoclic', () => {
  test.skipIf(version() < 28)('reads its configuration and its templates', () => {
    expect(run(ALERTMANAGER, find('amtool') ?? '', ['check-config', 'alertmanager.yml'])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('1 templates'),
    })
  })

  describe.skipIf(version() < 28)('what arrives in Discord', () => {
    const RED = 0x992d22
    const GREEN = 0x2ecc71
    let channel: Awaited<ReturnType<typeof discord>>
    let server: Awaited<ReturnType<typeof alertmanager>>
    beforeAll(async () => {
      channel = await discord()
      server = await alertmanager(channel.url)
    })
    afterAll(async () => {
      await server.stop()
      await channel.end()
    })

    test.each([
      ['ServerDown', /^🔴 ServerDown: the API does not answer$/, /^🟢 ServerUp: the API answers again$/],
      ['ServerInactive', /^🟠 ServerInactive: the API answers, but nobody asks$/, /^🟢 ServerActive: the API is used again$/],
      ['SystemDown', /^🔴 SystemDown: the server's own metrics are gone$/, /^🟢 SystemUp: the server's own metrics are back$/],
      ['TestMessage', /^🔵 TestMessage: alerts arrive here$/, /^🟢 TestMessage: over$/],
      ['Other', /^🔴 Other$/, /^🟢 Other is over$/],
    ])('%s has its own words and links, and so has its end', async (alertname, begins, ends) => {
      const startsAt = '2026-11-21T10:00:00Z'
      const annotations = { description: 'Because.', dashboard: 'http://127.0.0.1:3001/d/benevoclic-api' }
      const alert = { labels: { alertname }, annotations, startsAt, generatorURL: 'http://127.0.0.1:9090/graph' }
      await server.post([alert])
      const began = await channel.next(begins)
      expect(began.color).toBe(RED)
      expect(began.description).toMatch(
        /^Because\. Since 2026-11-21 10:00:00 UTC\.\n\[Grafana\]\(http:\/\/127\.0\.0\.1:3001\/d\/benevoclic-api\) · \[Prometheus\]\(http:\/\/127\.0\.0\.1:9090\/graph\) · \[Alertmanager\]\(http:\S+\)$/,
      )
      await server.post([{ ...alert, endsAt: new Date().toISOString() }])
      const over = await channel.next(ends)
      expect(over.color).toBe(GREEN)
      expect(over.description).toMatch(/^From 2026-11-21 10:00:00 to \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\./)
    })
  })
})

describe('what belongs together', () => {
  const monitoring = composeOf('benevoclic', 'monitoring.yaml')

  test('the webhook’s address is a file that Alertmanager is given', () => {
    expect(textOf('benevoclic', 'alertmanager/alertmanager.yml')).toContain('webhook_url_file: /run/secrets/discord_webhook_url')
    expect(monitoring.services?.alertmanager?.secrets).toEqual(['discord_webhook_url'])
  })

  test('Prometheus looks for the API under the names of both slots, on the port that it listens on', () => {
    const { scrape_configs } = yamlOf('benevoclic', 'prometheus/prometheus.yml') as {
      scrape_configs: { job_name: string; dns_sd_configs?: { names: string[]; port: number }[]; static_configs?: { targets: string[] }[] }[]
    }
    const api = composeOf('benevoclic', 'app.yaml').services?.['benevoclic-api']
    expect(scrape_configs[0]?.dns_sd_configs).toMatchObject([
      { names: ['benevoclic-api-blue', 'benevoclic-api-green'], port: Number(api?.environment?.PORT) },
    ])
    const others = scrape_configs.slice(1).flatMap(({ static_configs = [] }) => static_configs.flatMap(({ targets }) => targets))
    const services = Object.keys(monitoring.services ?? {})
    expect(others.filter(target => !services.includes(target.split(':')[0] ?? '') && !target.startsWith('127.0.0.1:'))).toEqual([])
  })

  test('every link of an alert is the page of a board, and every board reads the provisioned source', () => {
    const folder = join(folderOf('benevoclic'), 'grafana/dashboards')
    type Board = { uid: string; panels: { datasource: { uid: string }; targets: { expr: string }[] }[] }
    const boards = readdirSync(folder).map(name => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Board)
    const { datasources } = yamlOf('benevoclic', 'grafana/provisioning/datasources/prometheus.yml') as { datasources: { uid: string; url: string }[] }
    expect(boards.flatMap(({ panels }) => panels.filter(panel => panel.datasource.uid !== datasources[0]?.uid))).toEqual([])
    expect(datasources[0]?.url).toBe('http://prometheus:9090')
    const root = filled(String(monitoring.services?.grafana?.environment?.GF_SERVER_ROOT_URL))
    const links = textOf('benevoclic', 'prometheus/alert_rules.yml').match(/(?<=dashboard: )\S+/g) ?? []
    expect(links).toHaveLength(3)
    expect(links.filter(link => !boards.some(({ uid }) => link === `${root}d/${uid}`))).toEqual([])
  })
})
