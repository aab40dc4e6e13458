import { chmodSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Monitoring, monitoring } from '../releases/configured/world.ts'
import { describeWith, type Sshd, sshd } from '../testbed/index.ts'
import type { Ran } from './kit.ts'
import { journals } from './kit.ts'

/** Everything that was said, for when a test fails. */
const all = ({ exit, stdout, stderr }: Ran) => `exit ${exit}\n${stdout}\n${stderr}`

describeWith(['docker', 'nginx-image', 'monitoring', 'ssh'], 'new configuration, killed and over ssh', () => {
  let it: Monitoring
  let server: Sshd | undefined
  const repeat = async () => /repeat_interval: (\w+)/.exec(await it.ask('alertmanager', '/api/v2/status'))?.[1]
  const say = (text: string) => it.change('alertmanager/alertmanager.yml', file => file.replace(/repeat_interval: \w+/, `repeat_interval: ${text}`))
  /** The line of the journal of the last run at which alertmanager was about to be told. */
  const told = () => {
    const { entries } = journals(it.world.home).at(-1) ?? { entries: [] }
    return entries.find(entry => entry.at === 'intent' && entry.of === 'configured.apply/alertmanager')?.n ?? 0
  }
  beforeAll(async () => {
    it = await monitoring()
  }, 180_000)
  afterAll(async () => {
    await server?.stop()
    await it?.close()
  }, 60_000)

  test('what died once the service was to be told is finished, or taken back until the service says so', { timeout: 240_000 }, async () => {
    const first = await it.play('deploy', ['--service=alertmanager', '--yes'])
    expect(first.exit, all(first)).toBe(0)
    expect(await repeat()).toBe('4h')
    const line = told()
    for (const [how, after, value] of [
      ['resume', line, '5h'],
      ['revert', line + 1, '6h'],
    ] as const) {
      say(value)
      const died = await it.play('deploy', ['--service=alertmanager', '--yes'], { die: `entry:${after}:after` })
      expect(died.signal, all(died)).toBe('SIGKILL')
      const settled = await it.play('deploy', [`--${how}`, '--service=alertmanager', '--yes'])
      expect(settled.exit, all(settled)).toBe(0)
      expect(await repeat()).toBe('5h')
    }
    const health = await it.play('health-check', ['--only=alertmanager'])
    expect(health.exit, all(health)).toBe(0)
  })

  test('Grafana’s stand-in has the boards, and one that it does not have takes it back; node-exporter needs no configuration', {
    timeout: 240_000,
  }, async () => {
    const ran = await it.play('deploy', ['--service=grafana', '--service=node-exporter', '--yes'])
    expect(ran.exit, all(ran)).toBe(0)
    expect(await it.ask('node-exporter', '/metrics')).toContain('node_exporter_build_info')
    const before = it.container('grafana')
    it.change('grafana/dashboards/api.json', text => text.replace(/"uid": "benevoclic-api"/, '"uid": "lost-board"'))
    const lost = await it.play('deploy', ['--service=grafana', '--yes'])
    expect(lost.exit, all(lost)).toBe(4)
    expect(`${lost.stdout}${lost.stderr}`).toContain('it does not have the boards lost-board')
    // It was started anew with the old boards, in the same container.
    expect(it.container('grafana').split(' ')[0]).toBe(before.split(' ')[0])
    expect(readFileSync(join(it.directory, '.runbooks/configured/grafana/live/files/grafana/dashboards/api.json'), 'utf8')).toContain(
      'benevoclic-api',
    )
  })

  test('over ssh it is the same, as an ordinary user of the host', { timeout: 240_000 }, async () => {
    // Whoever may use Docker there, and has a folder for the stack.
    for (const folder of [it.engine.folder, it.world.folder]) chmodSync(folder, 0o711)
    chmodSync(join(it.engine.folder, 'docker.sock'), 0o666)
    const there = join(it.world.folder, 'there')
    server = await sshd({ settings: { SetEnv: `DOCKER_HOST=${it.engine.address}` } })
    it.engine.docker('rm', '--force', it.container('alertmanager').split(' ')[0] ?? '')
    it.engine.docker('network', 'create', 'far-edge')
    it.describe({
      directory: there,
      project: 'far',
      platform: `host: 'ssh://${server.user}@127.0.0.1:${server.port}', key: secret('KEY'), knownHosts: ${JSON.stringify(server.knownHosts)},`,
    })
    const ran = await it.play('deploy', ['--service=alertmanager', '--yes'], { env: { KEY: server.key } })
    expect(ran.exit, all(ran)).toBe(0)
    expect(existsSync(there)).toBe(true)
    say('7h')
    const changed = await it.play('deploy', ['--service=alertmanager', '--yes'], { env: { KEY: server.key } })
    expect(changed.exit, all(changed)).toBe(0)
    expect(await repeat()).toBe('7h')
  })
})
