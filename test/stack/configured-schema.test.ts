import { describe, expect, test } from 'vitest'
import { checkStack } from '../../lib/stack/schema.ts'

type Json = { [key: string]: unknown }

const PROMETHEUS = {
  file: 'monitoring.yaml',
  folder: 'prometheus',
  check: ['promtool', 'check', 'config', '/etc/prometheus/prometheus.yml'],
  apply: 'HUP',
  proof: { kind: 'prometheus', port: 9090, file: 'prometheus/prometheus.yml' },
}
const SANDBOX = { family: 'platform', kind: 'sandbox', options: { directory: 'sandbox', port: 8080, services: {} } }

/** What is said of a stack file with these configured services; empty when it is valid. */
async function refusal(configured: Json, environment: Json = {}): Promise<string> {
  const stores = [{ family: 'store', kind: 'directory', options: { path: 'backups' } }]
  const services = { web: { image: 'shop/web', port: 3000, traffic: 'split', twice: 'allowed' } }
  const found = { name: 'shop', timezone: 'UTC', services, configured, data: {}, environments: { local: { stores, ...environment } } }
  return checkStack(found, 'config/shop.ts').then(
    () => '',
    (error: { exit: number; message: string }) => `${error.exit} ${error.message}`,
  )
}

test('every kind of proof is valid', async () => {
  const password = { grafana_admin_password: { env: 'GRAFANA', hidden: true } }
  const grafana = { file: 'monitoring.yaml', folder: 'grafana', secrets: password }
  const all = {
    prometheus: PROMETHEUS,
    grafana: { ...grafana, proof: { kind: 'grafana', port: 3001, boards: 'grafana/dashboards', password: 'grafana_admin_password' } },
    'node-exporter': { file: 'monitoring.yaml', proof: { kind: 'http', port: 9100, path: '/metrics', contains: 'node' } },
  }
  expect(await refusal(all)).toBe('')
})

describe('each refusal names the field', () => {
  const wrong: readonly [string, Json, RegExp][] = [
    ['a service that is released, too', { web: PROMETHEUS }, /configured\.web: "web" is one of the services that are released, too/],
    [
      'a proof from elsewhere',
      { a: { ...PROMETHEUS, folder: 'other' } },
      /configured\.a\.proof: "prometheus\/prometheus\.yml" is not in the folder of a/,
    ],
    [
      'a path that leads out',
      { a: { ...PROMETHEUS, proof: { ...PROMETHEUS.proof, file: 'prometheus/../x' } } },
      /configured\.a\.proof\.file: a path inside/,
    ],
    ['an unknown way', { a: { ...PROMETHEUS, apply: 'TERM' } }, /configured\.a\.apply: .*found "TERM"/],
    ['a secret in the open', { a: { ...PROMETHEUS, secrets: { key: 'text' } } }, /configured\.a\.secrets\.key: write secret\('NAME'\)/],
    ['no proof', { a: { file: 'monitoring.yaml' } }, /configured\.a\.proof: /],
    [
      'a password that is not given',
      { a: { file: 'monitoring.yaml', proof: { kind: 'grafana', port: 1, password: 'it' } } },
      /configured\.a\.proof\.password: there is no secret "it" of a/,
    ],
  ]
  test.each(wrong)('%s', async (_, configured, says) => {
    expect(await refusal(configured)).toMatch(says)
  })

  test('a platform that cannot do it', async () => {
    expect(await refusal({ prometheus: PROMETHEUS }, { platform: SANDBOX })).toMatch(
      /environments\.local\.platform: configured services need compose\(\{ … \}\), not sandbox/,
    )
  })
})
