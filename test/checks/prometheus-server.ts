import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { launch, type Server } from '../testbed/server.ts'
import { find } from '../testbed/tools.ts'

/** The binary, where there is one; without it these tests are skipped. */
export const hasPrometheus = find('prometheus') !== undefined

const RULES = `groups:
  - name: test
    interval: 1s
    rules:
      - { alert: Firing, expr: vector(1), labels: { stack: shop }, annotations: { summary: it fires always } }
`

/** A Prometheus that watches itself (job \`self\`, up) and a port where nothing is (job \`gone\`, down), and has an alert that fires. */
export async function prometheusServer(gone: number): Promise<Server & { readonly url: string }> {
  const server = await launch({
    name: 'prometheus',
    command(port, folder) {
      mkdirSync(join(folder, 'data'), { recursive: true })
      const job = (name: string, target: number) => `  - { job_name: ${name}, static_configs: [{ targets: ['127.0.0.1:${target}'] }] }\n`
      const config = `global: { scrape_interval: 1s }\nrule_files: [rules.yml]\nscrape_configs:\n${job('self', port)}${job('gone', gone)}`
      writeFileSync(join(folder, 'rules.yml'), RULES)
      writeFileSync(join(folder, 'prometheus.yml'), config)
      const places = [`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`]
      return { file: find('prometheus') ?? 'prometheus', argv: [...places, `--web.listen-address=127.0.0.1:${port}`] }
    },
    ready: async port => {
      type Data = { activeTargets?: { health: string }[]; alerts?: unknown[] }
      const data = async (path: string) => ((await (await fetch(`http://127.0.0.1:${port}/api/v1/${path}`)).json()) as { data: Data }).data
      const { activeTargets: targets = [] } = await data('targets')
      if (targets.length < 2 || targets.some(({ health }) => health === 'unknown')) throw new Error('not scraped yet')
      if ((await data('alerts')).alerts?.length === 0) throw new Error('the rules were not evaluated yet')
    },
  })
  return { ...server, url: `http://127.0.0.1:${server.port}` }
}
